//! The dialog with the settings.

use super::texts;

texts! {
    theme() { en: "Theme", de: "Farben" }
    theme_of_system() { en: "As the system", de: "Wie das System" }
    light_theme() { en: "Light", de: "Hell" }
    dark_theme() { en: "Dark", de: "Dunkel" }
    language() { en: "Language", de: "Sprache" }
    language_of_browser() { en: "As the browser", de: "Wie der Browser" }
}
