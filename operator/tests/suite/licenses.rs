//! License files: the reader, the findings, and that no message reveals license text.
//!
//! Every value in `tests/licenses` is invented. All license text contains the letters `qzx` in upper or lower case, and
//! no other text does.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use token_failover::model::config::Config;
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::ids::MacAddress;
use token_failover_operator::license::{Host, Hostid, LARGEST_FILE, License, LicenseError, Problem, Server, Vendor};

use crate::damage::{damage, inputs, print_figure};
use crate::dice::Dice;
use crate::standard;
use crate::standard::parsed;

/// The number of damaged license files in a test run.
const LICENSES: u64 = 200_000;
const MAC: &str = "02:73:ae:2a:dc:81";
const OTHER_MAC: &str = "02:73:ae:2a:dc:82";

fn files() -> BTreeMap<String, Vec<u8>> {
    let folder = standard::root().join("tests/licenses");
    let paths = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let licenses = paths.filter(|path| path.extension().is_some_and(|extension| extension == "lic"));
    licenses
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect()
}

fn file(name: &str) -> Vec<u8> {
    files().remove(name).unwrap_or_else(|| panic!("no file {name}"))
}

#[track_caller]
fn read(text: impl AsRef<[u8]>) -> License {
    License::parse(text.as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

/// A license that begins with these lines.
#[track_caller]
fn with_lines(lines: &str) -> License {
    read(format!("{lines}\nFEATURE QZXTS MOSEKLM 11.1 31-dec-2027 4 SIGN=QZX\n"))
}

fn server() -> Server {
    Server {
        line: 1,
        host: Host::Named("license.example.com".to_owned()),
        hostids: vec![Hostid::Mac(parsed(MAC))],
        port: Some(27007),
        platforms: None,
    }
}

fn vendor() -> Vendor {
    Vendor { line: 3, name: "MOSEKLM".to_owned(), path: None, options: None, port: Some(27008) }
}

fn license() -> License {
    License { servers: vec![server()], vendors: vec![vendor()], use_server: true, not_understood: Vec::new() }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Severity, code and resource of each finding.
fn brief(findings: &[Finding]) -> Vec<(Severity, &str, &str)> {
    findings
        .iter()
        .map(|finding| (finding.severity, finding.code.as_str(), finding.resource.as_deref().unwrap_or_default()))
        .collect()
}

/// The findings of a file, for the interface that its license names.
#[track_caller]
fn assert_findings(license: &License, expected: &[(Severity, &str, &str)]) {
    assert_eq!(brief(&license.assess(Some(parsed(MAC)))), expected);
}

#[track_caller]
fn assert_refused(text: impl AsRef<[u8]>, line: impl Into<Option<usize>>, problem: Problem) {
    let error = License::parse(text.as_ref()).expect_err("this is not a license file");
    assert_eq!(error, LicenseError { line: line.into(), problem });
}

use Severity::{Critical, Info, Warning};

// ---- The reader ----

#[test]
fn the_header_of_a_floating_license_says_where_the_token_server_runs() {
    let license = read(file("floating"));
    let expected = License {
        servers: vec![Server { line: 2, ..server() }],
        vendors: vec![Vendor { line: 4, ..vendor() }],
        ..self::license()
    };
    assert_eq!(license, expected);
    assert_eq!(license.mac_address(), Some(parsed(MAC)));
    assert_eq!(license.hostid().as_deref(), Some("0273ae2adc81"));
    assert_eq!(license.ports_setting().as_deref(), Some("27007-27008"));
    assert_findings(&license, &[]);
}

#[test]
fn line_endings_byte_order_marks_and_spaces_make_no_difference() {
    for name in ["crlf", "old-mac", "byte-order-mark", "tabs"] {
        assert_eq!(read(file(name)), license(), "{name}");
    }
    let doubled = License { use_server: false, vendors: vec![Vendor { line: 2, ..vendor() }], ..license() };
    assert_eq!(read(file("carriage-returns-doubled")), doubled);
    let mut dos = file("crlf");
    dos.push(0x1a);
    assert_eq!(read(dos), license());
}

#[test]
fn a_backslash_continues_a_line_but_not_a_comment() {
    let license = read(file("continued"));
    let vendor =
        Vendor { line: 5, path: some("/opt/mosek/MOSEKLM"), options: some("/opt/mosek/mosek.opt"), ..vendor() };
    assert_eq!(license, License { use_server: false, vendors: vec![vendor], ..self::license() });
}

#[test]
fn keywords_and_options_may_be_in_any_case() {
    let vendor = Vendor { options: some("mosek.opt"), ..vendor() };
    assert_eq!(read(file("mixed-case")), License { vendors: vec![vendor], ..license() });
}

#[test]
fn only_the_part_of_a_mail_between_the_marks_is_read() {
    let expected = License {
        servers: vec![Server { line: 8, ..server() }],
        vendors: vec![Vendor { line: 10, ..vendor() }],
        ..license()
    };
    assert_eq!(read(file("mail")), expected);
    for marks in ["# START_LICENSE #", "----- start_license -----"] {
        let text = format!("Server\n{marks}\nSERVER license.example.com 0273ae2adc81 27007\n");
        assert_eq!(read(text).servers, [Server { line: 3, ..server() }], "{marks}");
    }
}

#[test]
fn a_repeated_line_counts_once_and_several_vendors_are_reported() {
    let license = read(file("two-blocks"));
    let solver = Vendor {
        line: 15,
        name: "solver".to_owned(),
        path: some("C:\\Program Files\\solver\\solver.exe"),
        port: Some(27010),
        ..vendor()
    };
    let expected = License {
        servers: vec![Server { line: 2, ..server() }],
        vendors: vec![Vendor { line: 4, ..vendor() }, solver],
        ..self::license()
    };
    assert_eq!(license, expected);
    assert_eq!(license.ports_setting().as_deref(), Some("27007-27008,27010"));
    assert_findings(&license, &[(Warning, "several-vendors", "license file")]);
}

#[test]
fn paths_options_and_ports_may_be_positional_or_named() {
    let positional = read(file("positional"));
    let mosek = Vendor { line: 2, path: some("/opt/mosek/MOSEKLM"), ..vendor() };
    let solver = Vendor {
        line: 3,
        name: "solver".to_owned(),
        path: some("/opt/my solver/solver"),
        options: some("/etc/my solver.opt"),
        port: Some(27010),
    };
    assert_eq!(positional.vendors, [mosek.clone(), solver]);
    assert_eq!(positional.servers, [server()]);

    let quoted = Vendor {
        line: 2,
        path: some("C:\\Program Files\\Mosek\\MOSEKLM.exe"),
        options: some("C:\\Program Files\\Mosek\\mosek.opt"),
        ..vendor()
    };
    assert_eq!(read(file("quoted-paths")).vendors, [quoted]);

    let empty = with_lines("DAEMON MOSEKLM \"\" mosek.opt 27008");
    assert_eq!(empty.vendors, [Vendor { line: 1, options: some("mosek.opt"), ..vendor() }]);
    let key_first = with_lines("DAEMON MOSEKLM port=27008 /opt/mosek/MOSEKLM");
    assert_eq!(key_first.vendors, [Vendor { line: 1, ..mosek }]);
}

#[test]
fn an_unprintable_character_becomes_a_question_mark() {
    let path = |license: License| license.vendors.into_iter().next().and_then(|vendor| vendor.path);
    assert_eq!(path(read(file("latin-1"))), some("C:\\Lizenzen f?r alle\\MOSEKLM.exe"));
    assert_eq!(path(with_lines("VENDOR MOSEKLM /opt/für/\u{202e}\u{9b}31m")), some("/opt/für/??31m"));
}

#[test]
fn every_form_of_a_hostid_is_recognized() {
    let mac = || Hostid::Mac(parsed(MAC));
    let other = |kind: &str| Hostid::Other(kind.to_owned());
    let forms = [
        ("0273ae2adc81", mac()),
        ("0273AE2ADC81", mac()),
        ("02:73:ae:2a:dc:81", mac()),
        ("ETHER=0273ae2adc81", mac()),
        ("PTC_HOSTID=02-73-AE-2A-DC-81", mac()),
        ("any", Hostid::Any),
        ("DEMO", other("DEMO")),
        ("INTERNET=10.0.1.*", other("INTERNET")),
        ("DISK_SERIAL_NUM=0273ae2adc81", other("DISK_SERIAL_NUM")),
        ("COMPOSITE=0273ae2adc81", other("COMPOSITE")),
        ("ID=123456789012", other("ID")),
        ("hostname=license", other("HOSTNAME")),
        ("FLEXID=9-0a1b2c3d", other("FLEXID")),
        ("0a1b2c3d", other("serial number")),
        ("#1234567890", other("serial number")),
        ("0273ae2adc8", Hostid::Unknown),
        ("<hostid>", Hostid::Unknown),
    ];
    for (text, hostid) in forms {
        let license = with_lines(&format!("SERVER license.example.com {text} 27007"));
        assert_eq!(license.servers, [Server { hostids: vec![hostid], ..server() }], "{text}");
    }
    let list = with_lines("SERVER license.example.com \"0273ae2adc81 ANY\" 27007");
    assert_eq!(list.servers, [Server { hostids: vec![mac(), Hostid::Any], ..server() }]);
}

#[test]
fn a_host_is_a_name_an_address_this_host_or_a_placeholder() {
    for host in ["license", "license.example.com.", "my_server", "10.0.1.50", "2001:db8::1", "server"] {
        let license = with_lines(&format!("SERVER {host} 0273ae2adc81 27007"));
        assert_eq!(license.servers, [Server { host: Host::Named(host.to_owned()), ..server() }]);
    }
    for (text, host) in [("THIS_HOST", Host::ThisHost), ("<put.hostname.here>", Host::Placeholder)] {
        let license = with_lines(&format!("SERVER {text} 0273ae2adc81 27007"));
        assert_eq!(license.servers, [Server { host, ..server() }]);
    }
}

#[test]
fn a_server_line_without_a_port_may_have_options() {
    let license = with_lines("SERVER license.example.com 0273ae2adc81 HEARTBEAT_INTERVAL=30 plat=6");
    assert_eq!(license.servers, [Server { port: None, platforms: Some(6), ..server() }]);
    assert_eq!(license.not_understood, Vec::<usize>::new());
}

// ---- The findings ----

#[test]
fn a_license_for_this_host_and_any_machine_without_ports_gets_every_finding() {
    let license = read(file("this-host"));
    let expected = [
        (Critical, "vendor-port-not-fixed", "line 2"),
        (Warning, "hostid-not-a-mac", "line 1"),
        (Warning, "host-is-this-host", "line 1"),
        (Warning, "server-port-missing", "line 1"),
    ];
    assert_findings(&license, &expected);
    assert_eq!(license.mac_address(), None);
    assert_eq!(license.ports_setting().as_deref(), Some("27000-27009"));
}

#[test]
fn without_a_port_of_lmgrd_every_port_that_clients_try_must_be_open() {
    let license = read(file("no-port"));
    assert_findings(&license, &[(Warning, "server-port-missing", "line 1")]);
    // 27008 is one of them, and a setting must not name a port twice.
    assert_eq!(license.ports_setting().as_deref(), Some("27000-27009"));
}

#[test]
fn a_license_for_three_servers_does_not_need_a_moving_interface() {
    let license = read(file("three-servers"));
    assert_eq!(license.servers.len(), 3);
    assert_eq!(license.mac_address(), None);
    assert_findings(&license, &[(Critical, "redundant-servers", "license file")]);
    let other: MacAddress = parsed("02:73:ae:2a:dc:84");
    let expected =
        [(Critical, "redundant-servers", "license file"), (Critical, "hostid-mismatch", "02:73:ae:2a:dc:84")];
    assert_eq!(brief(&license.assess(Some(other))), expected);
    assert_findings(&read(file("two-servers")), &[(Critical, "wrong-number-of-servers", "license file")]);
}

#[test]
fn a_number_instead_of_the_path_sets_no_port() {
    let license = read(file("port-for-path"));
    assert_findings(&license, &[(Critical, "vendor-port-not-fixed", "line 2")]);
    let finding = license.assess(None).into_iter().next().expect("a finding");
    assert_eq!(
        finding.remedy,
        "27008 is where the path belongs. Write port=27008 instead, restart the token server, and open the port in the \
         security group."
    );
}

#[test]
fn a_mac_address_that_differs_from_the_license_is_critical() {
    let license = read(file("floating"));
    assert_eq!(
        license.assess(Some(parsed(OTHER_MAC))),
        [Finding {
            severity: Critical,
            code: FindingCode::HostidMismatch.into(),
            message: "The license names the hostid 0273ae2adc81, but the interface has 0273ae2adc82. The token server will \
                      refuse to serve the license."
                .to_owned(),
            resource: some(OTHER_MAC),
            remedy: "Use the interface whose MAC address the license names, or ask support@mosek.com for a license for this \
                     interface. Do not edit the hostid: that would make the license invalid."
                .to_owned(),
        }]
    );
    assert_eq!(license.assess(None), []);
}

#[test]
fn any_mac_address_of_a_list_is_accepted() {
    let license = with_lines(
        "SERVER license.example.com \"0273ae2adc81 0273ae2adc82\" 27007\nUSE_SERVER\nVENDOR MOSEKLM port=27008",
    );
    for mac in [MAC, OTHER_MAC] {
        assert_eq!(brief(&license.assess(Some(parsed(mac)))), [(Info, "several-hostids", "line 1")]);
    }
    let expected = [(Critical, "hostid-mismatch", "02:73:ae:2a:dc:83"), (Info, "several-hostids", "line 1")];
    assert_eq!(brief(&license.assess(Some(parsed("02:73:ae:2a:dc:83")))), expected);
    assert_eq!(license.hostid(), None);
}

#[test]
fn a_hostid_that_is_not_a_mac_address_does_not_move_with_the_interface() {
    let forms = [
        ("INTERNET=10.0.1.50", Warning, "The hostid is an IP address, not a MAC address."),
        ("HOSTNAME=license", Critical, "The hostid is of type HOSTNAME, not a MAC address"),
        ("0a1b2c3d", Critical, "The hostid is of type serial number, not a MAC address"),
        ("HOSTID-HERE", Critical, "The hostid does not look like a hostid."),
    ];
    for (hostid, severity, message) in forms {
        let license = with_lines(&format!("SERVER license {hostid} 27007\nVENDOR MOSEKLM port=27008"));
        assert_findings(&license, &[(severity, "hostid-not-a-mac", "line 1")]);
        assert!(license.assess(None)[0].message.starts_with(message), "{:?}", license.assess(None));
    }
}

#[test]
fn a_host_that_clients_cannot_find_is_reported() {
    assert_findings(&read(file("template")), &[(Critical, "host-placeholder", "line 1")]);
    for host in ["localhost", "LocalHost", "127.0.0.1", "::1"] {
        let license = with_lines(&format!("SERVER {host} 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008"));
        assert_findings(&license, &[(Warning, "host-is-loopback", "line 1")]);
    }
}

#[test]
fn a_license_of_one_machine_has_no_token_server() {
    let license = read(file("node-locked"));
    assert_findings(&license, &[(Critical, "no-server-line", "license file")]);
    assert_eq!((license.hostid(), license.ports_setting()), (None, None));
}

#[test]
fn missing_daemons_and_port_conflicts_are_reported() {
    let header = "SERVER license.example.com 0273ae2adc81 27007\n";
    assert_findings(&with_lines(header), &[(Critical, "no-vendor-line", "license file")]);
    let same_as_lmgrd = with_lines(&format!("{header}VENDOR MOSEKLM port=27007"));
    assert_findings(&same_as_lmgrd, &[(Critical, "port-used-twice", "line 2")]);
    assert_eq!(
        same_as_lmgrd.assess(None)[0].remedy,
        "Give the vendor daemon another port, such as 27008, and restart the token server."
    );
    let same = with_lines(&format!("{header}VENDOR MOSEKLM port=27008\nVENDOR solver port=27008"));
    assert_findings(&same, &[(Critical, "port-used-twice", "line 3"), (Warning, "several-vendors", "license file")]);
    let repeated = with_lines(&format!("{header}VENDOR MOSEKLM port=27008\nDAEMON MOSEKLM port=27009"));
    assert_findings(&repeated, &[(Warning, "vendor-repeated", "line 3")]);
}

#[test]
fn the_suggested_port_is_unused_in_the_file() {
    let license = with_lines(
        "SERVER license 0273ae2adc81 27020\nVENDOR MOSEKLM\nVENDOR solver port=27021\nVENDOR other port=27022",
    );
    let finding = license.assess(None).into_iter().next().expect("a finding");
    assert_eq!(finding.code.as_str(), "vendor-port-not-fixed");
    assert!(finding.remedy.starts_with("Write port=27023 at the end of the line"), "{}", finding.remedy);
    let last = with_lines("SERVER license 0273ae2adc81 65535\nVENDOR MOSEKLM").assess(None);
    assert!(last[0].remedy.starts_with("Write port=27008 at the end of the line"), "{}", last[0].remedy);
}

#[test]
fn an_unknown_line_is_reported_by_its_number_only() {
    let license = read(file("future"));
    assert_eq!(license.not_understood, [1, 2, 3, 8]);
    let expected = [(Warning, "virtual-machines-excluded", "line 1"), (Info, "lines-not-understood", "line 1")];
    assert_findings(&license, &expected);
    assert_eq!(license.assess(None)[1].message, "Lines 1, 2, 3, 8 were not fully understood.");

    let lost = read(file("lost-backslash"));
    assert_eq!(lost.assess(None)[0].message, "Lines 5, 7 were not fully understood.");
    let one = read("SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\nqzx\n").assess(None);
    assert_eq!(one[0].message, "Line 3 was not fully understood.");
    let many = "SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\n".to_owned() + &"qzx\n".repeat(40);
    assert_eq!(
        read(many).assess(None)[0].message,
        "Lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 30 more were not fully understood."
    );
}

// ---- Other files ----

#[test]
fn a_file_of_another_kind_is_recognized() {
    for text in ["", "\n \r\n\t", "\u{feff}"] {
        assert_refused(text, None, Problem::Empty);
    }
    assert_refused("%PDF-1.7\n\0\u{1}", None, Problem::OtherKind("a PDF document"));
    assert_refused(b"PK\x03\x04\x14\0", None, Problem::OtherKind("a ZIP archive or an Office document"));
    assert_refused(b"\x1f\x8b\x08\0", None, Problem::OtherKind("a gzip archive"));
    assert_refused("{\\rtf1 SERVER", None, Problem::OtherKind("an RTF document"));
    assert_refused(b"\xff\xfeS\0E\0R\0", None, Problem::Utf16);
    assert_refused(b"\xfe\xff\0S\0E\0R", None, Problem::Utf16);
    assert_refused(b"SERVER license\n\x7fELF\x02\x01", 2, Problem::NotText);
    assert_refused("SERVER \u{1b}[31m 0273ae2adc81", 1, Problem::NotText);
    for text in ["<html>\n<body>\n", "# only a comment", "{\"SERVER\": 1}", "Feature requests\n", "qzx"] {
        assert_refused(text, None, Problem::NotALicense);
    }
}

#[test]
fn a_file_or_a_line_beyond_the_limit_is_refused() {
    let mut text =
        "SERVER license.example.com 0273ae2adc81 27007\nUSE_SERVER\nVENDOR MOSEKLM port=27008\nFEATURE a b c "
            .to_owned();
    text.extend(std::iter::repeat_n('Q', LARGEST_FILE - text.len()));
    assert_eq!(read(&text), license());
    text.push('Q');
    assert_refused(&text, None, Problem::TooLarge);

    let path = "p".repeat(4096 - "VENDOR MOSEKLM ".len());
    assert_eq!(read(format!("VENDOR MOSEKLM {path}")).vendors[0].path.as_ref(), Some(&path));
    assert_refused(format!("# first\nVENDOR MOSEKLM {path}p"), 2, Problem::LineTooLong);
    let continued = format!("VENDOR MOSEKLM \\\n{}", "\\\n".repeat(5000));
    assert_refused(continued, 1, Problem::LineTooLong);

    let daemons = |number: usize| (0..number).map(|n| format!("VENDOR v{n} port={}\n", 27010 + n)).collect::<String>();
    assert_eq!(read(daemons(64)).vendors.len(), 64);
    assert_refused(daemons(65), 65, Problem::TooManyLines);
}

#[test]
fn an_invalid_line_is_refused_with_its_number() {
    let wrong = [
        ("SERVER", Problem::NoHost),
        ("SERVER \"\" 0273ae2adc81", Problem::WrongHost),
        ("SERVER lic$1 0273ae2adc81", Problem::WrongHost),
        ("SERVER license\u{a0}0273ae2adc81", Problem::OddBlank),
        ("SERVER license", Problem::NoHostid),
        ("SERVER license \" \"", Problem::NoHostid),
        ("SERVER license 0273ae2adc81 0", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 65536", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 99999999999999999999", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 +27007", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 27007qzx", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 UDP:27007", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 port=27007", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 27007 FEATURE qzx", Problem::LinesJoined),
        ("SERVER license 0273ae2adc81 27007 sign=qzx", Problem::LinesJoined),
        ("SERVER license SIGN=\"qzx\"", Problem::LinesJoined),
        ("VENDOR MOSEKLM /opt/mosek?SIGN=qzx", Problem::LinesJoined),
        ("VENDOR MOSEKLM options=/opt/mosek.optsign=qzx", Problem::LinesJoined),
        ("VENDOR MOSEKLM \"/opt/mosek NOTICE=qzx\"", Problem::LinesJoined),
        ("SERVER license 0273ae2adc81 27007 VENDOR MOSEKLM", Problem::LinesJoined),
        ("SERVER license \"0273ae2adc81 27007", Problem::OpenQuote),
        ("USE_SERVER VENDOR MOSEKLM", Problem::LinesJoined),
        ("VENDOR", Problem::NoVendorName),
        ("VENDOR /opt/mosek/MOSEKLM", Problem::WrongVendorName),
        ("DAEMON FEATURE qzx", Problem::LinesJoined),
        ("DAEMON MOSEKLM INCREMENT qzx", Problem::LinesJoined),
        ("VENDOR MOSEKLM port=", Problem::NoValue),
        ("VENDOR MOSEKLM port = 27008", Problem::NoValue),
        ("VENDOR MOSEKLM /opt/MOSEKLM =27008", Problem::NoValue),
        ("VENDOR MOSEKLM options= port=27008", Problem::NoValue),
        ("VENDOR MOSEKLM port=auto", Problem::WrongVendorPort),
        ("VENDOR MOSEKLM port=0", Problem::WrongVendorPort),
        ("VENDOR MOSEKLM /opt/MOSEKLM 65536", Problem::WrongVendorPort),
        ("VENDOR MOSEKLM port=27008 port=27009", Problem::SaidTwice),
        ("VENDOR MOSEKLM /opt/MOSEKLM a.opt options=b.opt", Problem::SaidTwice),
        ("VENDOR MOSEKLM C:\\Program Files\\Mosek x64\\MOSEKLM.exe", Problem::TooManyWords),
        ("VENDOR MOSEKLM \"/opt/mosek", Problem::OpenQuote),
    ];
    for (line, problem) in wrong {
        let text = format!("# first\r\nUSE_SERVER\r\n{line}\r\n");
        let error = License::parse(text.as_bytes()).err();
        assert_eq!(error, Some(LicenseError { line: Some(3), problem }), "{line}");
    }
}

#[test]
fn merged_lines_are_refused_without_being_quoted() {
    for name in ["line-break-lost", "backslash-too-many"] {
        let error = License::parse(&file(name)).expect_err("lines are joined");
        assert_eq!(error.to_string(), "line 2: the line runs into another line of the license");
        assert_eq!(
            error.hint(),
            "Restore the line break that was lost, or remove the backslash at the end of the line."
        );
    }
}

#[test]
fn an_error_is_a_sentence_with_its_line_and_a_hint() {
    let of_the_file = License::parse(b"%PDF-1.7").expect_err("a PDF");
    assert_eq!(of_the_file.to_string(), "the file is a PDF document, not a license file");
    assert_eq!(
        of_the_file.hint(),
        "Use the text file that the vendor sent. It has lines that begin with SERVER and VENDOR."
    );
    let of_a_line = License::parse(b"\nSERVER license 0273ae2adc81 70000").expect_err("no port");
    assert_eq!(of_a_line.to_string(), "line 2: the port of the SERVER line is not a number from 1 to 65535");
    assert_eq!(
        of_a_line.hint(),
        "The port is a bare number after the hostid, such as: SERVER license.example.com 0273ae2adc81 27007"
    );
}

// ---- Rules for every file ----

/// Everything that a program could show about a file, readable or not.
fn outputs(input: &[u8]) -> String {
    match License::parse(input) {
        Err(error) => format!("{error}\n{}\n{error:?}", error.hint()),
        Ok(license) => {
            let findings =
                [license.assess(None), license.assess(Some(parsed(MAC))), license.assess(Some(parsed(OTHER_MAC)))];
            let json = serde_json::to_string(&(&license, &findings)).expect("JSON");
            format!("{json}\n{license:?}\n{:?}\n{:?}", license.hostid(), license.ports_setting())
        }
    }
}

/// The lines of a file that the program may use, found in a simpler way than the tested one.
fn tellable(input: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(input).to_ascii_lowercase().replace('\r', "\n").replace('"', "");
    let mut lines: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.split('\n') {
        let line = line.trim_start_matches('\u{feff}').trim();
        let goes_on = line.ends_with('\\') && (continues || !line.starts_with('#'));
        match lines.last_mut() {
            Some(last) if continues => *last += &format!(" {line}"),
            _ => lines.push(line.to_owned()),
        }
        // A second carriage return belongs to the same line ending.
        continues = goes_on || (continues && line.is_empty());
    }
    let is_tellable = |line: &String| {
        let first = line.split([' ', '\t', '\u{c}', '\u{1a}']).next().unwrap_or_default();
        matches!(first, "server" | "vendor" | "daemon")
    };
    lines.into_iter().filter(is_tellable).collect()
}

fn has_license_text(text: &str) -> bool {
    text.to_ascii_lowercase().contains("qzx")
}

/// Checks that the output for an input reveals no license text and can be used.
#[track_caller]
fn assert_harmless(input: &[u8], number: u64) -> bool {
    let shown = || String::from_utf8_lossy(input).into_owned();
    let begin = Instant::now();
    let output = outputs(input);
    // A thousand times the usual time, for a busy machine.
    assert!(begin.elapsed() < Duration::from_secs(2), "input {number} took {:?}: {}", begin.elapsed(), shown());
    assert!(output.len() < 200_000, "input {number} becomes {} bytes", output.len());
    if has_license_text(&output) {
        // The damage has turned the license text into a SERVER or VENDOR line.
        let lines = tellable(input);
        assert!(lines.iter().any(|line| has_license_text(line)), "input {number}: {output}\nof\n{}", shown());
        let joined = [" feature ", " increment ", "sign="];
        assert!(
            lines
                .iter()
                .filter(|line| has_license_text(line))
                .any(|line| !joined.iter().any(|word| line.contains(word))),
            "input {number}: {output}\nof\n{}",
            shown()
        );
    }
    let Ok(license) = License::parse(input) else { return false };
    if let Some(ports) = license.ports_setting() {
        let variables = standard::variables(&[("TOKEN_SERVER_PORTS", &ports)]);
        let config = Config::from_variables(variables).unwrap_or_else(|error| panic!("input {number}: {error}"));
        assert_eq!(config.ports, license.ports(), "input {number}");
    }
    for finding in license.assess(Some(parsed(MAC))) {
        assert!(finding.message.ends_with('.') && !finding.message.contains('\n'), "input {number}: {finding:?}");
        assert!(finding.remedy.ends_with('.') && !finding.remedy.contains('\n'), "input {number}: {finding:?}");
        assert!(finding.resource.is_some_and(|resource| !resource.is_empty()), "input {number}");
    }
    true
}

#[test]
fn no_message_reveals_license_text() {
    for (name, file) in files() {
        assert!(has_license_text(&String::from_utf8_lossy(&file)), "{name} has no license text");
        assert!(!has_license_text(&outputs(&file)), "{name}: {}", outputs(&file));
    }
}

#[test]
fn no_message_about_a_damaged_file_reveals_license_text() {
    let corpus: Vec<Vec<u8>> = files().into_values().collect();
    let pieces = [
        "SERVER ",
        "VENDOR ",
        "\nDAEMON ",
        "\n",
        "\r\n",
        "\r",
        "\\\n",
        "\\",
        "\"",
        "=",
        " ",
        "\t",
        "#",
        "\nSTART_LICENSE\n",
        "\nEND_LICENSE\n",
        "FEATURE ",
        "INCREMENT ",
        "USE_SERVER",
        "port=",
        "options=",
        "27008",
        "65536",
        "99999999999999999999",
        "ANY",
        "this_host",
        "INTERNET=10.0.1.50",
        "0273ae2adc82",
        "TCP:",
        "\0",
        "\u{1a}",
        "\u{a0}",
        "\u{202e}",
        "\u{1F4A5}",
    ];
    let mut dice = Dice::new(5);
    let (tried, mut understood) = (inputs(LICENSES), 0);
    for number in 0..tried {
        let original = dice.pick(&corpus);
        let input = damage(&mut dice, &original, &pieces);
        understood += u64::from(assert_harmless(&input, number));
    }
    assert!(understood > tried / 100, "too few inputs were understood: {understood}");
    print_figure("license files", tried, understood);
}

#[test]
fn the_worst_files_of_the_largest_size_are_read_quickly() {
    let pieces: [&str; 12] = [
        "\n",
        "\r",
        "\\\n",
        "\"",
        "=",
        "a\n",
        "# \\\n",
        "START_LICENSE\n",
        "SERVER a ANY\n",
        "VENDOR \"\" ",
        "FEATURE a b c \\\n",
        "\u{1F4A5}",
    ];
    for (number, piece) in pieces.iter().enumerate() {
        let number = u64::try_from(number).expect("a number");
        for head in ["", "SERVER license 0273ae2adc81 27007\n", "VENDOR "] {
            let text = head.to_owned() + &piece.repeat((LARGEST_FILE - head.len()) / piece.len());
            let begin = Instant::now();
            let read = License::parse(text.as_bytes());
            assert!(begin.elapsed() < Duration::from_secs(2), "{number} took {:?}: {:?}", begin.elapsed(), read.err());
        }
    }
}
