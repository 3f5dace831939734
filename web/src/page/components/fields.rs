//! Labelled fields of forms. What the user enters applies when the field is left; what cannot
//! apply is explained below the field, and the old value stays in use.

use leptos::prelude::*;
use web_sys::HtmlSelectElement;

use crate::message::{Limits, WhenComplete};
use crate::page::input;
use crate::texts::fields as texts;

/// The fields of a dialog whose text cannot apply. Copies share them.
#[derive(Clone, Copy)]
pub struct Mistakes {
    fields: StoredValue<Vec<&'static str>>,
    /// Whether the user was told of them when the dialog was to be closed.
    were_told: StoredValue<bool>,
}

impl Mistakes {
    /// Without any.
    pub fn new() -> Self {
        Self {
            fields: StoredValue::new(Vec::new()),
            were_told: StoredValue::new(false),
        }
    }

    fn note(self, id: &'static str, is_mistake: bool) {
        self.fields.try_update_value(|fields| {
            fields.retain(|other| *other != id);
            fields.extend(is_mistake.then_some(id));
        });
        self.were_told.try_update_value(|told| *told = false);
    }

    /// The field that the user has yet to be told of before the dialog closes. It is told once.
    pub fn take_first(self) -> Option<&'static str> {
        let first = self.fields.with_value(|fields| fields.first().copied())?;
        let was_told = self
            .were_told
            .try_update_value(|told| std::mem::replace(told, true));
        (was_told == Some(false)).then_some(first)
    }
}

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
    let mistakes = use_context::<Mistakes>();
    let note = move |is_mistake| {
        if let Some(mistakes) = mistakes {
            mistakes.note(id, is_mistake);
        }
    };
    let change = move |event| {
        let text = event_target_value(&event).trim().to_owned();
        error.set(set.run(text).err().unwrap_or_default());
        note(error.with_untracked(|why| !why.is_empty()));
    };
    on_cleanup(move || note(false));
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
    let rendered = options.into_iter().enumerate().map(option).collect_view();
    let change = move |event| {
        let index = event_target::<HtmlSelectElement>(&event).selected_index();
        choose.run(usize::try_from(index).unwrap_or(0));
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <select id=id on:change=change>{rendered}</select>
        </div>
    }
}

/// A choice between yes and no.
#[component]
pub fn Check(
    checked: Signal<bool>,
    set: Callback<bool>,
    /// Its label.
    children: Children,
) -> impl IntoView {
    let change = move |event| set.run(event_target_checked(&event));
    view! {
        <label class="want">
            <input type="checkbox" prop:checked=move || checked.get() on:change=change/>
            {children()}
        </label>
    }
}

/// A list of addresses, one per line.
#[component]
pub fn AddressesField(
    /// Unique within the page.
    id: &'static str,
    label: &'static str,
    hint: &'static str,
    /// How the addresses may begin.
    schemes: &'static [&'static str],
    addresses: Signal<Vec<String>>,
    set: Callback<Vec<String>>,
) -> impl IntoView {
    let value = Signal::derive(move || addresses.with(|all| all.join("\n")));
    let set_text = Callback::new(move |text: String| {
        set.run(input::addresses(&text, schemes)?);
        Ok(())
    });
    view! { <Field id label hint value set=set_text lines=true/> }
}

/// A rate limit.
#[component]
pub fn LimitField(
    /// Unique within the page.
    id: &'static str,
    label: &'static str,
    /// In bytes per second.
    limit: Signal<Option<u64>>,
    set: Callback<Option<u64>>,
) -> impl IntoView {
    let value = Signal::derive(move || input::limit_text(limit.get()));
    let set_text = Callback::new(move |text: String| {
        set.run(input::limit(&text)?);
        Ok(())
    });
    view! { <Field id label hint=texts::limit_hint() value set=set_text/> }
}

/// The two rate limits.
#[component]
pub fn LimitFields(
    /// Unique within the page: those of the download and the upload limit.
    ids: [&'static str; 2],
    limits: Signal<Limits>,
    set: Callback<Limits>,
) -> impl IntoView {
    let (down, up) = (
        Signal::derive(move || limits.get().down),
        Signal::derive(move || limits.get().up),
    );
    let set_down = Callback::new(move |down| {
        set.run(Limits {
            down,
            ..limits.get_untracked()
        });
    });
    let set_up = Callback::new(move |up| {
        set.run(Limits {
            up,
            ..limits.get_untracked()
        });
    });
    view! {
        <LimitField id=ids[0] label=texts::download_limit() limit=down set=set_down/>
        <LimitField id=ids[1] label=texts::upload_limit() limit=up set=set_up/>
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
    const FIRST_RATIO: u32 = 100;
    let inherited = usize::from(inherits);
    let own = [
        texts::keep_seeding(),
        texts::stop_seeding(),
        texts::seed_to_ratio(),
    ];
    let options = [texts::as_settings()]
        .into_iter()
        .take(inherited)
        .chain(own);
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
        <Choice id=ids[0] label options=options.collect() chosen choose=Callback::new(choose)/>
        <Show when=move || ratio.with(|text| !text.is_empty())>
            <Field id=ids[1] label=texts::ratio() hint=texts::ratio_hint() value=ratio set=set_ratio/>
        </Show>
    }
}
