//! Generated files are up to date: the OpenAPI document and the configuration page.

use serde_json::Value;

use crate::support::{Setup, golden};

fn document() -> String {
    let output = Setup::new().program().arg("openapi").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_openapi_document() {
    golden("contract/openapi.json", &document());
}

#[test]
fn the_configuration_page() {
    golden("docs/configuration.md", &parlour_server::config::reference());
}

#[test]
fn every_operation_is_described() {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{place}");
            assert!(!operation["tags"].as_array().unwrap().is_empty(), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
            assert!(responses.contains_key("500") && responses.contains_key("503"), "{place}");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    assert!(count >= 35, "{count} operations");
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
