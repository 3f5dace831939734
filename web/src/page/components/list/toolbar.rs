//! Above the list: the totals, the filter, the order, and what the selection can do.

use leptos::ev::Event;
use leptos::prelude::*;
use web_sys::{HtmlInputElement, HtmlSelectElement};

use super::selection::Selection;
use crate::page::arrange::{Group, SortKey};
use crate::page::components::plot::Plot;
use crate::page::list_view::ListView;
use crate::texts::list as texts;

/// Shown while there are several torrents.
#[component]
pub fn Toolbar() -> impl IntoView {
    view! {
        <div class="toolbar">
            <Totals/>
            <Plot of=None/>
            <div class="filters" role="group" aria-label=texts::filter_and_order()>
                <TextFilter/>
                <GroupFilter/>
                <SortBy/>
            </div>
            <Selection/>
        </div>
    }
}

#[component]
fn Totals() -> impl IntoView {
    let list = expect_context::<ListView>();
    let totals = Memo::new(move |_| list.totals());
    view! {
        <p class="totals" id="totals">
            <span class="down"><span class="unseen">{texts::down()}" "</span>{move || totals.with(|t| t.rates().0)}</span>
            <span class="up"><span class="unseen">{texts::up()}" "</span>{move || totals.with(|t| t.rates().1)}</span>
            <span>{move || totals.with(|t| t.numbers())}</span>
        </p>
    }
}

#[component]
fn TextFilter() -> impl IntoView {
    let list = expect_context::<ListView>();
    let text = move || list.filter.with(|filter| filter.text.clone());
    view! {
        <input
            type="search" class="filter-text" aria-label=texts::filter_by_name() placeholder=texts::filter_by_name() autocomplete="off" spellcheck="false"
            prop:value=text
            on:input=move |event| list.filter.update(|filter| filter.text = event_target_value(&event))
        />
    }
}

#[component]
fn GroupFilter() -> impl IntoView {
    let list = expect_context::<ListView>();
    let numbers = Memo::new(move |_| list.totals());
    let option = move |group: Option<Group>| {
        let word = group.map_or_else(texts::all_states, Group::word);
        let text = move || format!("{word} ({})", numbers.with(|n| n.number(group)));
        let is_chosen = move || list.filter.with(|filter| filter.group == group);
        view! { <option value=word prop:selected=is_chosen>{text}</option> }
    };
    let change = move |event: Event| {
        // The first option is for all.
        let group = selected(&event).checked_sub(1);
        let group = group.and_then(|at| Group::ALL.get(at).copied());
        list.filter.update(|filter| filter.group = group);
    };
    view! {
        <select aria-label=texts::state() on:change=change>
            {option(None)}
            {Group::ALL.map(|group| option(Some(group))).collect_view()}
        </select>
    }
}

/// The index of the option that was chosen.
fn selected(event: &Event) -> usize {
    let index = event_target::<HtmlSelectElement>(event).selected_index();
    usize::try_from(index).unwrap_or(0)
}

#[component]
fn SortBy() -> impl IntoView {
    let list = expect_context::<ListView>();
    let change = move |event: Event| {
        let key = SortKey::ALL.get(selected(&event)).copied();
        list.order
            .update(|order| order.key = key.unwrap_or_default());
    };
    let reverse = move |event: Event| {
        let reversed = event_target::<HtmlInputElement>(&event).checked();
        list.order.update(|order| order.reversed = reversed);
    };
    let options = SortKey::ALL.map(|key| {
        let name = key.word();
        let is_chosen = move || list.order.with(|order| order.key == key);
        view! { <option value=name prop:selected=is_chosen>{name}</option> }
    });
    view! {
        <label class="sort">
            <span>{texts::sort_by()}</span>
            <select on:change=change>{options.collect_view()}</select>
        </label>
        <label class="reverse">
            <input type="checkbox" prop:checked=move || list.order.with(|order| order.reversed) on:change=reverse/>
            <span>{texts::reverse()}</span>
        </label>
    }
}
