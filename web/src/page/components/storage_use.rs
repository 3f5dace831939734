//! How much the browser stores for this page, and whether it keeps that.

use js_sys::Reflect;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::StorageManager;

use crate::format::size;
use crate::page::storage_manager;
use crate::texts::settings as texts;

/// Whether the browser may delete the data when space runs low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Unknown,
    /// It has agreed to keep them.
    Yes,
    /// It was not asked yet in this dialog.
    No,
    /// It was asked, and did not agree.
    Refused,
}

impl Kept {
    fn text(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Yes => texts::kept(),
            Self::No => texts::not_kept(),
            Self::Refused => texts::keeping_refused(),
        }
    }
}

/// The used and the granted space, and a button that asks the browser to keep the data.
#[component]
pub fn StorageUse() -> impl IntoView {
    let (used, kept) = (RwSignal::new(String::new()), RwSignal::new(Kept::Unknown));
    let Some(storage) = storage_manager() else {
        return view! { <p>{texts::no_storage()}</p> }.into_any();
    };
    let asked = storage.clone();
    spawn_local(async move {
        // The dialog may be closed before the browser answers.
        used.try_set(use_of(&asked).await.unwrap_or_default());
        let is_kept = answer(asked.persisted()).await;
        kept.try_set(if is_kept { Kept::Yes } else { Kept::No });
    });
    let storage = StoredValue::new_local(storage);
    let keep = move |_| {
        let asked = storage.with_value(StorageManager::persist);
        spawn_local(async move {
            let agreed = answer(asked).await;
            kept.try_set(if agreed { Kept::Yes } else { Kept::Refused });
        });
    };
    view! {
        <p>{move || used.get()}</p>
        <p role="status">{move || kept.get().text()}</p>
        <Show when=move || matches!(kept.get(), Kept::No | Kept::Refused)>
            <div class="buttons"><button type="button" on:click=keep>{texts::keep_data()}</button></div>
        </Show>
    }
    .into_any()
}

async fn answer(asked: Result<js_sys::Promise, JsValue>) -> bool {
    match asked {
        Ok(promise) => JsFuture::from(promise).await == Ok(JsValue::TRUE),
        Err(_) => false,
    }
}

/// The used and the granted space in words. Browsers make the numbers inexact on purpose.
async fn use_of(storage: &StorageManager) -> Result<String, JsValue> {
    let estimate = JsFuture::from(storage.estimate()?).await?;
    let bytes = |name: &str| {
        let number = Reflect::get(&estimate, &name.into())?.as_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of bytes below 2^53"
        )]
        Ok::<u64, JsValue>(number.unwrap_or(0.0) as u64)
    };
    Ok(texts::stored(size(bytes("usage")?), size(bytes("quota")?)))
}
