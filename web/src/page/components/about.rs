//! Where the user's files are stored and who sees which data, at the foot of the page.

use leptos::prelude::*;

use super::explain::{bridge, bridge_host};
use crate::page::model::Model;
use crate::page::words;
use crate::texts::about as texts;

/// Who sees the user's address. A bridge on this computer is the user's own program.
fn addresses() -> String {
    if is_local(&bridge_host()) {
        return texts::addresses_of_local_bridge().to_owned();
    }
    texts::addresses(bridge_host())
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.starts_with("127.")
}

/// Initially closed, below the list of torrents. Browsers do not let pages detect private windows, so
/// all users are told what those forget.
#[component]
pub fn About() -> impl IntoView {
    let model = expect_context::<Model>();
    let bridge_state = Memo::new(move |_| {
        model
            .bridge
            .with(|status| model.link.with(|link| words::bridge_state(status, link)))
    });
    view! {
        <footer class="about">
            <Show when=move || model.can_add()>
                <p class="bridge">{move || texts::bridge_state(bridge_state.get())}</p>
            </Show>
            <details>
                <summary>{texts::summary()}</summary>
                <dl>
                    <dt>{texts::your_files()}</dt>
                    <dd>{texts::storage()}</dd>
                    <dt>{texts::your_address()}</dt>
                    <dd>{addresses()}</dd>
                    <dt>{texts::bridge_term()}</dt>
                    <dd>{bridge()}</dd>
                    <dt>{texts::link_terms()}</dt>
                    <dd>{texts::magnet_link()} " " {texts::info_hash()}</dd>
                    <dt>{texts::search_terms()}</dt>
                    <dd>{texts::search()}</dd>
                    <dt>{texts::peer_terms()}</dt>
                    <dd>{texts::peers()}</dd>
                </dl>
            </details>
        </footer>
    }
}

/// Four steps for a new user, and what all users should know first.
#[component]
pub fn Empty() -> impl IntoView {
    view! {
        <section class="empty" aria-label=texts::getting_started()>
            <h2>{texts::nothing_here()}</h2>
            <ol>
                <li>{texts::first_step()}</li>
                <li>{texts::second_step()}</li>
                <li>{texts::third_step()}</li>
                <li>{texts::fourth_step()}</li>
            </ol>
            <p>{texts::storage()}</p>
            <p>{addresses()}</p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_computer_is_local() {
        assert!(
            ["localhost", "aqueduct.localhost", "127.0.0.1", "[::1]"]
                .into_iter()
                .all(is_local)
        );
        assert!(
            ![
                "bridge.example",
                "localhost.example",
                "10.0.0.1",
                "[2001:db8::1]"
            ]
            .into_iter()
            .any(is_local)
        );
    }
}
