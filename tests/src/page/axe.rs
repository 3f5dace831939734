//! What axe-core, which checks pages for accessibility, finds.

use serde_json::{Value, json};

use super::Browser;

/// Checks the page as it is painted next, with these rules, or with all if there are none.
const CHECK: &str = r"
    const [rules, done] = arguments;
    const options = { resultTypes: ['violations'], ...(rules.length && { runOnly: rules }) };
    const texts = ({ id, nodes }) => nodes.map(node => `${id}: ${node.failureSummary} ${node.html.slice(0, 300)}`);
    requestAnimationFrame(() => setTimeout(() => {
        axe.run(document, options).then(({ violations }) => done(violations.flatMap(texts)), error => done([`${error}`]));
    }));
";

impl Browser {
    /// What axe-core finds wrong with the page, as `rule: what to do, element`. `rules` limits it to
    /// these.
    ///
    /// # Panics
    /// axe-core is missing: the environment variable `AQUEDUCT_AXE` must contain the path of its
    /// script.
    pub async fn violations(&self, rules: &[&str]) -> Vec<String> {
        if self.run("return typeof axe").await == "undefined" {
            let path = std::env::var_os("AQUEDUCT_AXE").expect("AQUEDUCT_AXE");
            let script = std::fs::read_to_string(path).expect("the script of axe-core");
            self.run(&script).await;
        }
        let found = self
            .client
            .execute_async(CHECK, vec![json!(rules)])
            .await
            .expect("axe-core runs");
        let texts = found.as_array().into_iter().flatten();
        texts
            .map(|text| {
                text.as_str()
                    .map_or_else(|| text.to_string(), str::to_owned)
            })
            .collect()
    }

    /// Shows the page in a viewport of this size, in CSS pixels, with these media features.
    ///
    /// # Panics
    /// The browser rejects it.
    pub async fn show_as(&self, (width, height): (u32, u32), features: &[(&str, &str)]) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let feature = |(name, value): &(&str, &str)| json!({ "name": name, "value": value });
        let features: Vec<Value> = features.iter().map(feature).collect();
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }
}
