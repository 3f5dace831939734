//! Labelled fields of forms. What the user enters applies when the field is left; what cannot
//! apply is explained below the field, and the old value stays in use.

use leptos::prelude::*;

use crate::message::{Limits, WhenComplete};
use crate::page::input;

/// A text field. With `lines`, it has several lines.
#[component]
pub fn Field(
    /// Unique within the page.
    id: &'static str,
    label: &'static str,
    hint: &'static str,
    /// The text of the value in use.
    value: Signal<String>,
    /// Uses the text, or returns a sentence that says what is wrong with it.
    set: Callback<String, Result<(), String>>,
    #[prop(optional)] lines: bool,
) -> impl IntoView {
    let error = RwSignal::new(String::new());
    let change = move |event| {
        let text = event_target_value(&event).trim().to_owned();
        error.set(set.run(text).err().unwrap_or_default());
    };
    let is_wrong = move || error.with(|why| !why.is_empty());
    let described_by = format!("{id}-hint {id}-error");
    let input = if lines {
        view! {
            <textarea
                id=id rows="3" autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby=described_by
                aria-invalid=move || is_wrong().to_string() prop:value=move || value.get() on:change=change
            ></textarea>
        }
        .into_any()
    } else {
        view! {
            <input
                id=id type="text" inputmode="decimal" autocomplete="off" aria-describedby=described_by
                aria-invalid=move || is_wrong().to_string() prop:value=move || value.get() on:change=change
            />
        }
        .into_any()
    };
    view! {
        <div class="field" class:long=lines>
            <label for=id>{label}</label>
            {input}
            <span class="soft" id=format!("{id}-hint")>{hint}</span>
            <Show when=is_wrong>
                <p class="wrong" id=format!("{id}-error") role="alert">{move || error.get()}</p>
            </Show>
        </div>
    }
}

/// A choice between named options.
#[component]
pub fn Choice(
    /// Unique within the page.
    id: &'static str,
    label: &'static str,
    options: Vec<&'static str>,
    /// The index of the chosen one.
    chosen: Signal<usize>,
    choose: Callback<usize>,
) -> impl IntoView {
    let option = move |(index, name): (usize, &'static str)| {
        view! { <option value=name prop:selected=move || chosen.get() == index>{name}</option> }
    };
    let rendered = options
        .iter()
        .copied()
        .enumerate()
        .map(option)
        .collect_view();
    let change = move |event| {
        let name = event_target_value(&event);
        let index = options.iter().position(|option| *option == name);
        choose.run(index.unwrap_or(0));
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <select id=id on:change=change>{rendered}</select>
        </div>
    }
}

/// The two rate limits.
#[component]
pub fn LimitFields(
    /// Unique within the page: those of the download and the upload limit.
    ids: [&'static str; 2],
    limits: Signal<Limits>,
    set: Callback<Limits>,
) -> impl IntoView {
    const HINT: &str = "KiB/s; empty: no limit";
    let set_down = move |text: String| {
        let down = input::limit(&text)?;
        set.run(Limits {
            down,
            ..limits.get_untracked()
        });
        Ok(())
    };
    let set_up = move |text: String| {
        let up = input::limit(&text)?;
        set.run(Limits {
            up,
            ..limits.get_untracked()
        });
        Ok(())
    };
    let text =
        |of: fn(Limits) -> Option<u64>| Signal::derive(move || input::limit_text(of(limits.get())));
    view! {
        <Field id=ids[0] label="Download limit" hint=HINT value=text(|limits| limits.down) set=Callback::new(set_down)/>
        <Field id=ids[1] label="Upload limit" hint=HINT value=text(|limits| limits.up) set=Callback::new(set_up)/>
    }
}

/// What to do with a complete torrent. With `inherits`, it may also be what the settings say
/// (`None`).
#[component]
pub fn WhenCompleteFields(
    /// Unique within the page: those of the choice and of the ratio.
    ids: [&'static str; 2],
    label: &'static str,
    value: Signal<Option<WhenComplete>>,
    set: Callback<Option<WhenComplete>>,
    #[prop(optional)] inherits: bool,
) -> impl IntoView {
    const NAMES: [&str; 3] = ["Keep seeding", "Stop seeding", "Seed to a ratio"];
    const FIRST_RATIO: u32 = 100;
    let inherited = usize::from(inherits);
    let options = ["As the settings say"].into_iter().take(inherited);
    let chosen = Signal::derive(move || match value.get() {
        None => 0,
        Some(WhenComplete::Seed) => inherited,
        Some(WhenComplete::Stop) => inherited + 1,
        Some(WhenComplete::SeedToRatio(_)) => inherited + 2,
    });
    let choose = move |index: usize| {
        let own = index.checked_sub(inherited);
        set.run(own.map(|own| match own {
            0 => WhenComplete::Seed,
            1 => WhenComplete::Stop,
            _ => WhenComplete::SeedToRatio(FIRST_RATIO),
        }));
    };
    let ratio = Signal::derive(move || match value.get() {
        Some(WhenComplete::SeedToRatio(ratio)) => input::ratio_text(ratio),
        _ => String::new(),
    });
    let set_ratio = Callback::new(move |text: String| {
        set.run(Some(WhenComplete::SeedToRatio(input::ratio(&text)?)));
        Ok(())
    });
    view! {
        <Choice id=ids[0] label options=options.chain(NAMES).collect() chosen choose=Callback::new(choose)/>
        <Show when=move || ratio.with(|text| !text.is_empty())>
            <Field id=ids[1] label="Ratio" hint="uploaded to downloaded" value=ratio set=set_ratio/>
        </Show>
    }
}
