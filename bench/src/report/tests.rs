//! A small sample, and what the report makes of it.

use std::{fs, path::Path};

use super::{ABOUT, FIGURES, PAGE, write};

/// Two runs of a few scenarios, as [`crate::figures::Figures::line`] writes them, and a curve.
const SAMPLE: &str = r#"
{"target":"floor-store","scenario":"pairs-16","run":1,"per_second":40000.0,"p50_ms":4.0,"p99_ms":9.0,"cpu_ms_per_1000":25.0,"lost":0}
{"target":"floor-store","scenario":"pairs-16","run":2,"per_second":40000.0,"p50_ms":4.0,"p99_ms":9.0,"cpu_ms_per_1000":27.0,"lost":0}
{"target":"parlour-native","scenario":"pairs-16","run":1,"per_second":32000.0,"p50_ms":5.0,"p99_ms":11.0,"cpu_ms_per_1000":31.2,"lost":0}
{"target":"channels-daphne-redis-sqlite","scenario":"pairs-16","run":1,"per_second":240.0,"p50_ms":90.0,"p99_ms":400.0,"cpu_ms_per_1000":3324.0,"lost":12,"note":"its generator | was idle"}
{"target":"socketio","scenario":"pairs-16","run":1,"per_second":25600.0,"p50_ms":6.0,"p99_ms":20.0,"cpu_ms_per_1000":33.0,"lost":0}
{"target":"nchan","scenario":"pairs-16","run":1,"note":"not measured: it closed a connection"}
{"target":"floor-relay","scenario":"pairs-16","run":1,"per_second":100000.0,"cpu_ms_per_1000":6.0,"lost":0}
{"target":"parlour-pusher","scenario":"pairs-16","run":1,"per_second":80000.0,"cpu_ms_per_1000":7.5,"lost":0}
{"target":"floor-relay","scenario":"idle","run":1,"rss_kib_before":4096,"rss_kib_after":12000,"kib_per_connection":1.3}
{"target":"parlour-native","scenario":"idle","run":1,"rss_kib_before":9000,"rss_kib_after":24000,"kib_per_connection":2.6}
{"target":"socketio","scenario":"idle","run":1,"rss_kib_before":60000,"rss_kib_after":150000,"kib_per_connection":18.0}
{"target":"parlour-native","scenario":"growth-connections","run":1,"at":1000,"kib_per_connection":3.0,"p99_ms":4.1}
{"target":"parlour-native","scenario":"growth-connections","run":1,"at":18000,"kib_per_connection":2.6,"p99_ms":6.0}
{"target":"floor-relay","scenario":"growth-connections","run":1,"at":1000,"kib_per_connection":1.4,"p99_ms":2.0}
{"target":"floor-relay","scenario":"growth-connections","run":1,"at":18000,"kib_per_connection":1.3,"p99_ms":2.5}
{"target":"parlour-native","scenario":"growth-messages","run":1,"at":10000,"cpu_ms_per_1000":30.0,"p99_ms":4.0,"list_p50_ms":2.0,"list_p99_ms":2.5}
{"target":"parlour-native","scenario":"growth-messages","run":1,"at":100000,"cpu_ms_per_1000":28.0,"p99_ms":4.1,"list_p50_ms":2.1,"list_p99_ms":2.6}
{"target":"parlour-native","scenario":"growth-messages","run":1,"at":1000000,"cpu_ms_per_1000":56.0,"p99_ms":5.0,"list_p50_ms":2.2,"list_p99_ms":9.0}
{"target":"parlour-native","scenario":"growth-messages","run":1,"at":10000000,"cpu_ms_per_1000":90.0,"p99_ms":5.1,"list_p50_ms":2.3,"list_p99_ms":9.5}
{"target":"parlour-native-postgres","scenario":"growth-processes","run":1,"at":1,"per_second":9000.0}
{"target":"parlour-native-postgres","scenario":"growth-processes","run":1,"at":2,"per_second":5000.0}
"#;

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn figures_become_a_page_with_charts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join(FIGURES), SAMPLE).unwrap();
    fs::write(folder.join(ABOUT), "Measured on two cores.").unwrap();
    fs::write(folder.join("of-before.svg"), "").unwrap();
    write(folder).unwrap();
    let page = read(folder, PAGE);
    for part in [
        "Measured on two cores.",
        // The floor's median is 26; ours is 31.2.
        "| 100 pairs, each with 16 messages under way: CPU per 1,000 deliveries | 26 ms | 1.20× |",
        "| 31.2 ms | 107× | 1.06× |",
        // Rates: fewer is worse.
        "| 32,000/s | 133× | 1.25× |",
        "| 2.6 KiB | – | 6.9× |",
        "| what | Parlour, Pusher | floor: relay | Socket.IO |",
        "| 100 pairs, each with 16 messages under way: CPU per 1,000 deliveries | 7.5 ms | 0.80× | 4.4× |",
        "12 lost",
        "its generator / was idle",
        "| nginx with nchan | – | – | – | – | not measured: it closed a connection |",
        "| Parlour, native | 18,000 |",
        "- Parlour, native, CPU per 1,000 deliveries: the knee is at 1,000,000, 2.0× the best before it (30 ms at 10,000, 90 ms at 10,000,000)",
        "- Parlour, native, the list of a user's 1,000 conversations, p50: no knee (2 ms at 10,000, 2.3 ms at 10,000,000)",
        "- Parlour, native, PostgreSQL, deliveries per second: the knee is at 2, 1.80× the best before it",
        "](growth-messages-list-p50-ms.svg)",
        "![Connections that do nothing: memory per connection](idle-kib-per-connection.svg)",
    ] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    assert!(!page.lines().any(|line| line.ends_with(' ')), "{page}");
    assert!(!folder.join("of-before.svg").exists());
}

#[test]
fn charts_are_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join(FIGURES), SAMPLE).unwrap();
    write(folder).unwrap();
    let drawings = [
        "pairs-16-cpu-ms-per-1000.svg",
        "pairs-16-per-second.svg",
        "idle-kib-per-connection.svg",
        "growth-connections-kib-per-connection.svg",
    ];
    for name in drawings {
        let drawing = read(folder, name);
        assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"), "{name}");
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{name}");
        for element in ["text", "tspan", "style", "title"] {
            let opened = drawing.matches(&format!("<{element}")).count();
            assert_eq!(
                opened,
                drawing.matches(&format!("</{element}>")).count(),
                "{name} {element}"
            );
        }
    }
    assert!(read(folder, drawings[0]).contains("logarithmic scale"));
    assert!(!read(folder, drawings[2]).contains("logarithmic scale"));
    assert!(read(folder, drawings[3]).contains("<polyline"));
}

#[test]
fn without_figures_there_is_no_report() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write(folder.path()).is_err());
    fs::write(folder.path().join(FIGURES), "").unwrap();
    write(folder.path()).unwrap();
}
