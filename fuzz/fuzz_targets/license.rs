//! Reads any bytes as a license file. The reader must not panic, every message must be a whole sentence, and no message
//! may reveal license text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use token_failover::model::config::PortRange;
use token_failover_operator::license::{Interface, License};

/// A license line after the bytes, with a word that no other line has. The empty lines end any continued line.
const LICENSE_LINE: &[u8] = b"\n\n\nFEATURE PTS MOSEKLM 11.0 31-dec-2026 4 VENDOR_STRING=qzx SIGN=\"qzx\"\n";

fuzz_target!(|bytes: &[u8]| {
    let interface = Interface {
        mac_address: "02:73:ae:2a:dc:81".parse().expect("a MAC address"),
        private_address: Some([10, 0, 1, 50].into()),
        public_address: None,
    };
    let today = "2026-11-29".parse().expect("a date");
    let file = [bytes, LICENSE_LINE].concat();
    let is_secret = !String::from_utf8_lossy(bytes).to_ascii_lowercase().contains("qzx");
    let said = match License::parse(&file) {
        Err(error) => format!("{error} {}", error.hint()),
        Ok(license) => {
            let findings = license.assess(today, Some(&interface));
            for finding in &findings {
                for sentence in [&finding.message, &finding.remedy] {
                    assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{finding:?}");
                }
            }
            let ports: Vec<PortRange> = license
                .ports_setting()
                .iter()
                .flat_map(|ports| ports.split(','))
                .map(|range| range.parse().expect("a setting that can be read"))
                .collect();
            assert_eq!(ports, license.ports());
            serde_json::to_string(&(&license, &findings)).expect("JSON")
        }
    };
    assert!(!is_secret || !said.to_ascii_lowercase().contains("qzx"), "{said}");
});
