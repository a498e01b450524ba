//! The codes of findings and the reasons of reports, as names in JSON.

use serde_json::{from_value, json};
use strum::VariantArray;
use token_failover::model::code::Code;
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::reason::Reason;

#[test]
fn every_name_is_read_back_as_the_same_code() {
    for code in FindingCode::VARIANTS {
        assert_eq!(Code::<FindingCode>::read(&code.to_string()), Code::Known(*code));
        assert_eq!(json!(Code::Known(*code)), json!(code.to_string()));
    }
    for reason in Reason::VARIANTS {
        assert_eq!(Code::<Reason>::read(&reason.to_string()), Code::Known(*reason));
    }
}

#[test]
fn a_code_of_another_version_is_kept() {
    let written = json!({
        "severity": "warning", "code": "cable-unplugged", "message": "a", "resource": null, "remedy": "b",
    });
    let finding: Finding = from_value(written.clone()).expect("a finding");
    assert_eq!(finding.code, Code::Unknown("cable-unplugged".to_owned()));
    assert_eq!((json!(finding), finding.code.to_string()), (written, "cable-unplugged".to_owned()));
}

#[test]
fn a_finding_has_only_severities_that_its_code_allows() {
    let finding = |code| Finding::new(code, "x", String::new(), String::new());
    for code in FindingCode::VARIANTS {
        assert_eq!(finding(*code).severity, code.severities()[0], "{code}");
        for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
            let changed = finding(*code).as_severe_as(severity).severity;
            let expected = if code.severities().contains(&severity) { severity } else { code.severity() };
            assert_eq!(changed, expected, "{code}");
        }
    }
}
