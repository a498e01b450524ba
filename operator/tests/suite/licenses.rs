//! License files: the reader, the findings, and that no message reveals license text.
//!
//! Every value in `tests/licenses` is invented. All license text contains the letters `qzx` in upper or lower case, and
//! no other text does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use token_failover::model::config::Config;
use token_failover::model::finding::{Finding, FindingCode, Severity};
use token_failover::model::ids::MacAddress;
use token_failover_operator::license::{
    Expiry, Feature, Host, Hostid, Interface, LARGEST_FILE, License, LicenseError, Manager, Problem, Server, Vendor,
};

use crate::damage::{damage, inputs, print_figure};
use crate::dice::Dice;
use crate::standard;
use crate::standard::parsed;

/// The number of damaged license files in a test run.
const LICENSES: u64 = 200_000;
const MAC: &str = "02:73:ae:2a:dc:81";
const OTHER_MAC: &str = "02:73:ae:2a:dc:82";

/// Meaningful pieces for damaged files.
const PIECES: [&str; 44] = [
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
    "ETHER=",
    "ID=",
    "02:73:ae:2a:dc:81",
    "<a b>",
    "HOST lic1 0273ae2adc81 5053\n",
    "ISV ",
    "permanent",
    "1-jan-0",
    "START=",
    "\u{c}",
    "\u{7f}",
];

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
fn read_file(name: &str) -> License {
    read(file(name))
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

/// The day of the tests.
fn today() -> NaiveDate {
    date("2026-11-29")
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The license interface with this MAC address.
fn interface(mac: &str) -> Interface {
    Interface {
        mac_address: parsed(mac),
        private_address: Some(parsed("10.0.1.50")),
        public_address: Some(parsed("203.0.113.50")),
    }
}

/// The findings without regard to an interface.
fn assess(license: &License) -> Vec<Finding> {
    license.assess(today(), None)
}

/// The findings for the interface with this MAC address.
fn assess_for(license: &License, mac: &str) -> Vec<Finding> {
    license.assess(today(), Some(&interface(mac)))
}

/// The license without its features.
fn header(license: License) -> License {
    License { features: Vec::new(), ..license }
}

fn server() -> Server {
    Server {
        line: 1,
        host: Host::Named("license.example.com".to_owned()),
        hostids: vec![Hostid::Mac(parsed(MAC))],
        unusual_notation: false,
        port: Some(27007),
        platforms: None,
    }
}

fn vendor() -> Vendor {
    Vendor { line: 3, name: "MOSEKLM".to_owned(), path: None, options: None, unquoted_path: false, port: Some(27008) }
}

fn license() -> License {
    License {
        manager: Manager::FlexNet,
        servers: vec![server()],
        vendors: vec![vendor()],
        use_server: true,
        misplaced_port: None,
        features: Vec::new(),
        is_for_mosek: true,
        faults: Vec::new(),
        not_understood: Vec::new(),
    }
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
    assert_eq!(brief(&assess_for(license, MAC)), expected);
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
    assert_eq!(header(license.clone()), expected);
    assert_eq!(license.mac_address(), Some(parsed(MAC)));
    assert_eq!(license.hostid().as_deref(), Some("0273ae2adc81"));
    assert_eq!(license.ports_setting().as_deref(), Some("27007-27008"));
    assert_findings(&license, &[]);
}

#[test]
fn line_endings_byte_order_marks_and_spaces_make_no_difference() {
    for name in ["crlf", "old-mac", "byte-order-mark", "tabs"] {
        assert_eq!(header(read(file(name))), license(), "{name}");
    }
    let doubled = License { use_server: false, vendors: vec![Vendor { line: 2, ..vendor() }], ..license() };
    assert_eq!(header(read(file("carriage-returns-doubled"))), doubled);
    let mut dos = file("crlf");
    dos.push(0x1a);
    assert_eq!(header(read(dos)), license());
}

#[test]
fn a_backslash_continues_a_line_but_not_a_comment() {
    let license = read(file("continued"));
    let vendor =
        Vendor { line: 5, path: some("/opt/mosek/MOSEKLM"), options: some("/opt/mosek/mosek.opt"), ..vendor() };
    assert_eq!(header(license), License { use_server: false, vendors: vec![vendor], ..self::license() });
}

#[test]
fn keywords_and_options_may_be_in_any_case() {
    let vendor = Vendor { options: some("mosek.opt"), ..vendor() };
    assert_eq!(header(read(file("mixed-case"))), License { vendors: vec![vendor], ..license() });
}

#[test]
fn only_the_part_of_a_mail_between_the_marks_is_read() {
    let expected = License {
        servers: vec![Server { line: 8, ..server() }],
        vendors: vec![Vendor { line: 10, ..vendor() }],
        ..license()
    };
    assert_eq!(header(read(file("mail"))), expected);
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
    assert_eq!(header(license.clone()), expected);
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
        ..vendor()
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
        ("ETHERNET=02:73:AE:2A:DC:81", mac()),
        ("PTC_HOSTID=02-73-AE-2A-DC-81", mac()),
        ("any", Hostid::Any),
        ("DEMO", other("DEMO")),
        ("INTERNET=10.0.1.*", Hostid::Internet(None)),
        ("INTERNET=10.0.1.50", Hostid::Internet(Some(parsed("10.0.1.50")))),
        ("AMZN_EIP=203.0.113.50", Hostid::ElasticIp(Some(parsed("203.0.113.50")))),
        ("AMZN_AMI=ami-0123456789abcdef0", Hostid::Image),
        ("AMZN_IID=i-0123456789abcdef0", other("AMZN_IID")),
        ("DISK_SERIAL_NUM=0273ae2adc81", other("DISK_SERIAL_NUM")),
        ("COMPOSITE=0273ae2adc81", other("COMPOSITE")),
        ("ID=123456789012", Hostid::Any),
        ("hostname=license", Hostid::HostName),
        ("host=license", Hostid::HostName),
        ("ip=10.0.1.50", Hostid::Internet(Some(parsed("10.0.1.50")))),
        ("SN=123-456", Hostid::Any),
        ("FLEXID=9-0a1b2c3d", other("FLEXID")),
        ("0a1b2c3d", other("serial number")),
        ("#1234567890", other("serial number")),
        ("0273ae2adc8", Hostid::Unknown),
        ("coffeezz0000", Hostid::Unknown),
        ("<hostid>", Hostid::Placeholder),
        ("<MAC address of the card>", Hostid::Placeholder),
        ("YOURHOSTID", Hostid::Placeholder),
        ("HOSTID-HERE", Hostid::Placeholder),
        ("ETHER=YOUR_MAC", Hostid::Placeholder),
        ("XXXXXXXXXXXX", Hostid::Placeholder),
    ];
    for (text, hostid) in forms {
        let license = with_lines(&format!("SERVER license.example.com {text} 27007"));
        let is_mac = matches!(hostid, Hostid::Mac(_));
        let unusual_notation = is_mac && !text.contains("HOSTID") && text.len() != 12 || text.contains("-AE-");
        assert_eq!(license.servers, [Server { hostids: vec![hostid], unusual_notation, ..server() }], "{text}");
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
    for (text, host) in [
        ("THIS_HOST", Host::ThisHost),
        ("<put.hostname.here>", Host::Placeholder),
        ("put_server_name_here", Host::Placeholder),
        ("yourserver", Host::Placeholder),
        ("youreka.example.com", Host::Named("youreka.example.com".to_owned())),
        ("inserts-lic", Host::Named("inserts-lic".to_owned())),
        ("<name of the server>", Host::Placeholder),
        ("HOSTNAME", Host::Placeholder),
        ("your_server.example.com", Host::Placeholder),
        ("[hostname]", Host::Placeholder),
        ("lic$1", Host::Unknown),
        ("\"\"", Host::Unknown),
    ] {
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
    let expected =
        [(Critical, "redundant-servers", "license file"), (Critical, "hostid-mismatch", "02:73:ae:2a:dc:84")];
    assert_eq!(brief(&assess_for(&license, "02:73:ae:2a:dc:84")), expected);
    assert_findings(&read(file("two-servers")), &[(Critical, "wrong-number-of-servers", "license file")]);
}

#[test]
fn a_number_instead_of_the_path_sets_no_port() {
    let license = read(file("port-for-path"));
    assert_findings(&license, &[(Critical, "vendor-port-not-fixed", "line 2")]);
    let finding = assess(&license).into_iter().next().expect("a finding");
    assert_eq!(
        finding.remedy,
        "27008 is where the path belongs. Write port=27008 instead, restart the token server, and open the port in the \
         security group. The license stays valid."
    );
}

#[test]
fn a_mac_address_that_differs_from_the_license_is_critical() {
    let license = read(file("floating"));
    assert_eq!(
        assess_for(&license, OTHER_MAC),
        [Finding {
            severity: Critical,
            code: FindingCode::HostidMismatch.into(),
            message: "The license names the hostid 0273ae2adc81, but the interface has 0273ae2adc82. The token server \
                      refuses to serve the license."
                .to_owned(),
            resource: some(OTHER_MAC),
            remedy: "Use the interface whose MAC address the license names, or ask support@mosek.com for a license for this \
                     interface. Do not edit the hostid: that would make the license invalid."
                .to_owned(),
        }]
    );
    assert_eq!(assess(&license), []);
}

#[test]
fn any_mac_address_of_a_list_is_accepted() {
    let license = with_lines(
        "SERVER license.example.com \"0273ae2adc81 0273ae2adc82\" 27007\nUSE_SERVER\nVENDOR MOSEKLM port=27008",
    );
    for mac in [MAC, OTHER_MAC] {
        assert_eq!(brief(&assess_for(&license, mac)), [(Info, "several-hostids", "line 1")]);
    }
    let expected = [(Critical, "hostid-mismatch", "02:73:ae:2a:dc:83"), (Info, "several-hostids", "line 1")];
    assert_eq!(brief(&assess_for(&license, "02:73:ae:2a:dc:83")), expected);
    assert_eq!(license.hostid(), None);
}

#[test]
fn a_hostid_that_is_not_a_mac_address_does_not_move_with_the_interface() {
    let forms = [
        ("ANY", Some(Warning), "The hostid ties the license to no machine"),
        ("ID=5550-1234", Some(Warning), "The hostid ties the license to no machine"),
        ("INTERNET=10.0.1.*", Some(Warning), "The hostid is an IP address, not a MAC address."),
        ("INTERNET=10.0.1.50", None, ""),
        (
            "INTERNET=10.0.1.51",
            Some(Critical),
            "The hostid is an IP address, 10.0.1.51, but the private address of the interface",
        ),
        ("AMZN_EIP=203.0.113.50", None, ""),
        (
            "AMZN_EIP=203.0.113.51",
            Some(Critical),
            "The hostid is an Elastic IP, 203.0.113.51, but the Elastic IP of the",
        ),
        ("AMZN_AMI=ami-0123456789abcdef0", Some(Warning), "The hostid is an image (AMI)"),
        ("HOSTNAME=license", Some(Warning), "The hostid is a host name"),
        (
            "VM_UUID=ec2e1916-0000-4000-8000-0123456789ab",
            Some(Critical),
            "The hostid is of type VM_UUID, not a MAC address",
        ),
        ("0a1b2c3d", Some(Critical), "The hostid is of type serial number, not a MAC address"),
        ("HOSTID-HERE", Some(Critical), "The hostid is still a placeholder from a template."),
        ("coffeezz0000", Some(Critical), "The hostid is neither a MAC address nor another kind of hostid"),
    ];
    for (hostid, severity, message) in forms {
        let license = with_lines(&format!("SERVER license {hostid} 27007\nVENDOR MOSEKLM port=27008"));
        let expected: Vec<(Severity, &str, &str)> =
            severity.map(|severity| (severity, "hostid-not-a-mac", "line 1")).into_iter().collect();
        assert_findings(&license, &expected);
        let found = assess_for(&license, MAC);
        assert!(found.iter().all(|finding| finding.message.starts_with(message)), "{hostid}: {found:?}");
    }
    // Without the interface, an address can only be compared by a person.
    for hostid in ["INTERNET=10.0.1.50", "AMZN_EIP=203.0.113.50"] {
        let license = with_lines(&format!("SERVER license {hostid} 27007\nVENDOR MOSEKLM port=27008"));
        assert_eq!(brief(&assess(&license)), [(Warning, "hostid-not-a-mac", "line 1")]);
        assert!(assess(&license)[0].remedy.starts_with("Compare it with the "), "{:?}", assess(&license));
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
        assess(&same_as_lmgrd)[0].remedy,
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
    let finding = assess(&license).into_iter().next().expect("a finding");
    assert_eq!(finding.code.as_str(), "vendor-port-not-fixed");
    assert!(finding.remedy.starts_with("Write port=27023 at the end of the line"), "{}", finding.remedy);
    let last = assess(&with_lines("SERVER license 0273ae2adc81 65535\nVENDOR MOSEKLM"));
    assert!(last[0].remedy.starts_with("Write port=27008 at the end of the line"), "{}", last[0].remedy);
}

#[test]
fn an_unknown_line_is_reported_by_its_number_only() {
    let license = read(file("future"));
    assert_eq!(license.not_understood, [1, 2, 3, 8]);
    let expected = [(Warning, "virtual-machines-excluded", "line 1"), (Info, "lines-not-understood", "line 1")];
    assert_findings(&license, &expected);
    assert_eq!(assess(&license)[1].message, "Lines 1, 2, 3, 8 were not fully understood.");

    let lost = read(file("lost-backslash"));
    assert_eq!(assess(&lost)[0].message, "Lines 5, 7 were not fully understood.");
    let one =
        assess(&read("SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\nFEATURE QZX MOSEKLM 1 0 1\nqzx\n"));
    assert_eq!(one[0].message, "Line 4 was not fully understood.");
    let header = "SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\n";
    let many = format!("{header}{}FEATURE QZX MOSEKLM 1 0 1\n", "qzx\n".repeat(40));
    assert_eq!(
        assess(&read(many))[0].message,
        "Lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 30 more were not fully understood."
    );
}

/// What is right for each file without an interface: the hostid, the ports, and the findings. The files that are missing
/// here are refused.
#[expect(clippy::type_complexity, reason = "a table that is read row by row")]
const JUDGED: &[(&str, Option<&str>, Option<&str>, &[(Severity, &str, &str)])] = &[
    ("backslash-close", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("backslash-space", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("backslash-too-many", Some("0273ae2adc81"), Some("27007"), &[(Critical, "line-invalid", "line 2")]),
    ("byte-order-mark", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("carriage-returns-doubled", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("continued", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("crlf", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    (
        "dates",
        Some("0273ae2adc81"),
        Some("27007-27008"),
        &[
            (Warning, "feature-without-vendor", "line 8"),
            (Warning, "license-expired", "line 7"),
            (Warning, "license-not-started", "line 6"),
            (Warning, "license-expires-soon", "line 5"),
        ],
    ),
    ("demo", None, None, &[(Critical, "no-server-line", "license file")]),
    ("elastic-ip", None, Some("27007-27008"), &[(Warning, "hostid-not-a-mac", "line 1")]),
    ("expired", Some("0273ae2adc81"), Some("27007-27008"), &[(Critical, "license-expired", "line 3")]),
    ("floating", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("folder-as-path", Some("0273ae2adc81"), Some("1717-1718"), &[]),
    (
        "future",
        Some("0273ae2adc81"),
        Some("27007-27008"),
        &[(Warning, "virtual-machines-excluded", "line 1"), (Info, "lines-not-understood", "line 1")],
    ),
    ("header-only", Some("0273ae2adc81"), Some("27007-27008"), &[(Critical, "no-feature-line", "license file")]),
    ("host-link-local", Some("0273ae2adc81"), Some("27007-27008"), &[(Critical, "host-unreachable", "line 1")]),
    ("host-of-ec2-address", Some("0273ae2adc81"), Some("27007-27008"), &[(Warning, "host-is-one-instance", "line 1")]),
    (
        "host-of-ec2-instance",
        Some("0273ae2adc81"),
        Some("27007-27008"),
        &[(Critical, "host-is-one-instance", "line 1")],
    ),
    ("host-unspecified", Some("0273ae2adc81"), Some("27007-27008"), &[(Critical, "host-unreachable", "line 1")]),
    ("hostid-address", None, Some("27007-27008"), &[(Warning, "hostid-not-a-mac", "line 1")]),
    ("hostid-host-name", None, Some("27007-27008"), &[(Warning, "hostid-not-a-mac", "line 1")]),
    ("hostid-number", None, Some("27007-27008"), &[(Warning, "hostid-not-a-mac", "line 1")]),
    ("image", None, Some("27007-27008"), &[(Warning, "hostid-not-a-mac", "line 1")]),
    (
        "in-yaml",
        Some("0273ae2adc81"),
        Some("27000"),
        &[(Critical, "vendor-port-not-fixed", "line 3"), (Info, "lines-not-understood", "line 1")],
    ),
    ("latin-1", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("latin-1-comment", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("line-break-lost", Some("0273ae2adc81"), Some("27007"), &[(Critical, "line-invalid", "line 2")]),
    ("lost-backslash", Some("0273ae2adc81"), Some("27007-27008"), &[(Info, "lines-not-understood", "line 5")]),
    ("mac-of-a-card", Some("98be94291300"), Some("27000,27002"), &[(Info, "hostid-implausible", "line 1")]),
    ("mac-of-docker", Some("0242ac110002"), Some("27000,27002"), &[(Warning, "hostid-implausible", "line 1")]),
    ("mac-with-colons", Some("0273ae2adc81"), Some("27007-27008"), &[(Info, "hostid-notation", "line 1")]),
    ("mac-with-dashes", Some("0273ae2adc81"), Some("27007-27008"), &[(Info, "hostid-notation", "line 1")]),
    ("mac-with-key", Some("0273ae2adc81"), Some("27000,2080"), &[(Info, "hostid-notation", "line 1")]),
    ("mail", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("mixed-case", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("no-port", Some("0273ae2adc81"), Some("27000-27009"), &[(Warning, "server-port-missing", "line 1")]),
    ("node-locked", None, None, &[(Critical, "no-server-line", "license file")]),
    (
        "not-a-hostid",
        None,
        Some("1717,4000"),
        &[(Critical, "hostid-not-a-mac", "line 1"), (Warning, "host-is-one-instance", "line 1")],
    ),
    ("old-mac", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("options-before-port", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("path-not-quoted", Some("0273ae2adc81"), Some("27000-27001"), &[(Warning, "path-not-quoted", "line 2")]),
    ("physical-only", Some("0273ae2adc81"), Some("27007-27008"), &[(Warning, "virtual-machines-excluded", "line 1")]),
    (
        "placeholder-words",
        None,
        Some("20030"),
        &[
            (Critical, "hostid-not-a-mac", "line 1"),
            (Critical, "host-placeholder", "line 1"),
            (Critical, "vendor-port-not-fixed", "line 2"),
        ],
    ),
    (
        "placeholders-with-spaces",
        None,
        Some("1800"),
        &[
            (Critical, "line-invalid", "line 2"),
            (Critical, "hostid-not-a-mac", "line 1"),
            (Critical, "host-placeholder", "line 1"),
        ],
    ),
    ("port-by-position", Some("0273ae2adc81"), Some("27020-27021"), &[]),
    ("port-for-path", Some("0273ae2adc81"), Some("27007"), &[(Critical, "vendor-port-not-fixed", "line 2")]),
    (
        "port-on-use-server",
        Some("0273ae2adc81"),
        Some("27000-27009"),
        &[(Critical, "vendor-port-not-fixed", "line 3"), (Warning, "server-port-missing", "line 1")],
    ),
    ("positional", Some("0273ae2adc81"), Some("27007-27008,27010"), &[(Warning, "several-vendors", "license file")]),
    ("quoted-paths", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("rlm-host", Some("0273ae2adc81"), Some("5053,5055"), &[(Info, "rlm-license", "license file")]),
    ("rlm", Some("0273ae2adc81"), Some("5053,5055"), &[(Info, "rlm-license", "license file")]),
    ("same-port", Some("0273ae2adc81"), Some("27007"), &[(Critical, "port-used-twice", "line 2")]),
    ("short-host", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("tabs", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("template", Some("0273ae2adc81"), Some("27007-27008"), &[(Critical, "host-placeholder", "line 1")]),
    (
        "this-host",
        None,
        Some("27000-27009"),
        &[
            (Critical, "vendor-port-not-fixed", "line 2"),
            (Warning, "hostid-not-a-mac", "line 1"),
            (Warning, "host-is-this-host", "line 1"),
            (Warning, "server-port-missing", "line 1"),
        ],
    ),
    ("three-servers", None, Some("27007-27008"), &[(Critical, "redundant-servers", "license file")]),
    (
        "three-vendors",
        Some("0273ae2adc81"),
        Some("27000,27002"),
        &[
            (Critical, "vendor-port-not-fixed", "line 3"),
            (Critical, "vendor-port-not-fixed", "line 4"),
            (Warning, "several-vendors", "license file"),
        ],
    ),
    ("two-blocks-one-server", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("two-blocks-other-case", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("two-blocks", Some("0273ae2adc81"), Some("27007-27008,27010"), &[(Warning, "several-vendors", "license file")]),
    ("two-macs", None, Some("27007-27008"), &[(Info, "several-hostids", "line 1")]),
    (
        "two-servers-two-ports",
        None,
        Some("5280-5281,1717-1718"),
        &[(Critical, "wrong-number-of-servers", "license file"), (Warning, "several-vendors", "license file")],
    ),
    ("two-servers", None, Some("27007-27008"), &[(Critical, "wrong-number-of-servers", "license file")]),
    ("use-server-first", Some("0273ae2adc81"), Some("27007-27008"), &[]),
    ("vm-uuid", None, Some("27007-27008"), &[(Critical, "hostid-not-a-mac", "line 1")]),
];

#[test]
fn the_port_of_lmgrd_comes_first_because_the_license_check_asks_it() {
    for (lmgrd, vendors, expected) in [
        (27007, &[27008][..], "27007-27008"),
        (27010, &[27008][..], "27010,27008"),
        (27008, &[27007][..], "27008,27007"),
        (27008, &[27009, 27006, 27007, 30000][..], "27008-27009,27006-27007,30000"),
        (27008, &[27008][..], "27008"),
    ] {
        let vendors: String =
            vendors.iter().enumerate().map(|(n, port)| format!("VENDOR daemon{n} port={port}\n")).collect();
        let license = read(format!("SERVER lic.example.com 0273ae2adc81 {lmgrd}\n{vendors}USE_SERVER\n"));
        assert_eq!(license.ports_setting().as_deref(), Some(expected));
    }
}

#[test]
fn every_file_is_judged_as_the_table_says() {
    let refused: Vec<String> =
        files().into_iter().filter(|(_, bytes)| License::parse(bytes).is_err()).map(|(name, _)| name).collect();
    assert_eq!(refused, ["port-key-on-server", "port-too-large"]);
    let named: BTreeSet<String> = JUDGED.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let read: BTreeSet<String> = files().into_keys().filter(|name| !refused.contains(name)).collect();
    assert_eq!(named, read);
    for (name, hostid, ports, findings) in JUDGED {
        let license = read_file(name);
        assert_eq!(license.hostid().as_deref(), *hostid, "{name}");
        assert_eq!(license.ports_setting().as_deref(), *ports, "{name}");
        assert_eq!(brief(&assess(&license)), *findings, "{name}");
    }
}

#[test]
fn a_host_of_the_interface_is_no_finding_and_another_address_is() {
    let hosts = [
        ("10.0.1.50", None),
        ("203.0.113.50", None),
        ("ip-10-0-1-50.eu-west-1.compute.internal", None),
        ("ip-10-0-1-50", None),
        ("ec2-203-0-113-50.eu-west-1.compute.amazonaws.com", None),
        ("2001:db8::1", None),
        ("10.0.1.51", Some((Warning, "host-not-of-interface", "line 1"))),
        ("ip-10-0-1-51.ec2.internal", Some((Warning, "host-is-one-instance", "line 1"))),
        ("i-0123456789abcdef0.ec2.internal", Some((Critical, "host-is-one-instance", "line 1"))),
        ("fe80::1", Some((Critical, "host-unreachable", "line 1"))),
        ("224.0.0.1", Some((Critical, "host-unreachable", "line 1"))),
    ];
    for (host, finding) in hosts {
        let license = with_lines(&format!("SERVER {host} 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008"));
        let expected: Vec<(Severity, &str, &str)> = finding.into_iter().collect();
        assert_eq!(brief(&assess_for(&license, MAC)), expected, "{host}");
    }
}

#[test]
fn a_mac_address_that_no_interface_has_is_reported_unless_it_is_the_interfaces() {
    let macs = [
        ("000000000000", Some(Critical)),
        ("ffffffffffff", Some(Critical)),
        ("010000000001", Some(Critical)),
        ("0242ac110002", Some(Warning)),
        ("98be94291300", Some(Info)),
        ("0a1b2c3d4e5f", None),
    ];
    for (mac, severity) in macs {
        let license = with_lines(&format!("SERVER license {mac} 27007\nVENDOR MOSEKLM port=27008"));
        let expected: Vec<(Severity, &str, &str)> =
            severity.map(|severity| (severity, "hostid-implausible", "line 1")).into_iter().collect();
        assert_eq!(brief(&assess(&license)), expected, "{mac}");
        let own: MacAddress = parsed(mac);
        assert_eq!(brief(&assess_for(&license, &own.to_string())), [], "{mac}");
    }
}

#[test]
fn remedies_propose_each_port_once_and_none_that_is_taken() {
    let remedies = |name: &str| -> Vec<u16> {
        let found = assess(&read_file(name));
        let ports = found.iter().filter_map(|finding| {
            let words = finding.remedy.split([' ', '=', '.', ',']);
            words.filter_map(|word| word.parse::<u16>().ok()).next()
        });
        ports.collect()
    };
    assert_eq!(remedies("three-vendors"), [27001, 27003]);
    assert_eq!(remedies("port-on-use-server"), [2080, 27007]);
    assert_eq!(remedies("same-port"), [27008]);
    assert_eq!(remedies("this-host"), [27008, 27007]);
}

#[test]
fn no_finding_names_mosek_where_another_vendors_license_is_served() {
    for (name, bytes) in files() {
        let text = String::from_utf8_lossy(&bytes).to_ascii_uppercase();
        let Ok(license) = License::parse(&bytes) else { continue };
        for finding in assess(&license).iter().chain(&assess_for(&license, OTHER_MAC)) {
            let told = format!("{} {}", finding.message, finding.remedy).to_ascii_uppercase();
            assert!(text.contains("MOSEKLM") || !told.contains("MOSEK"), "{name}: {told}");
        }
    }
}

#[test]
fn port_0_is_no_fixed_port() {
    let license = with_lines("SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=0");
    assert_findings(&license, &[(Critical, "vendor-port-not-fixed", "line 2")]);
}

#[test]
fn an_upgrade_line_of_rlm_names_the_vendor_first() {
    let head = "HOST license 0273ae2adc81 5053\nISV acme port=5055\n";
    let license = read(format!("{head}UPGRADE acme qzx 1.0 2.0 permanent 4 sig=qzx\n"));
    assert_findings(&license, &[(Info, "rlm-license", "license file")]);
}

#[test]
fn a_feature_is_renewed_if_another_line_of_it_takes_over_at_its_end() {
    let header = "SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\n";
    let cases = [
        (["FEATURE QZX MOSEKLM 11 2-dec-2026 4", "FEATURE qzx moseklm 11 2-dec-2027 4"], [true, false]),
        (["FEATURE QZX MOSEKLM 11 2-dec-2026 4", "FEATURE QZX MOSEKLM 11 permanent 4"], [true, false]),
        (
            ["INCREMENT QZX MOSEKLM 11 2-dec-2026 4", "INCREMENT QZX MOSEKLM 11 2-dec-2027 4 START=3-dec-2026"],
            [true, false],
        ),
        (
            ["INCREMENT QZX MOSEKLM 11 2-dec-2026 4", "INCREMENT QZX MOSEKLM 11 2-dec-2027 4 START=4-dec-2026"],
            [false, false],
        ),
        (
            ["INCREMENT QZX MOSEKLM 11 2-dec-2026 4", "FEATURE QZX MOSEKLM 11 2-dec-2027 4 START=3-dec-2026"],
            [false, false],
        ),
        (["FEATURE QZX MOSEKLM 11 2-dec-2026 4", "FEATURE QZX MOSEKLM 11 2-dec-2026 4"], [false, false]),
        (["FEATURE QZX MOSEKLM 11 2-dec-2026 4", "FEATURE QZXB MOSEKLM 11 2-dec-2027 4"], [false, false]),
        (["FEATURE QZX MOSEKLM 11 2-dec-2026 4", "FEATURE QZX other 11 2-dec-2027 4"], [false, false]),
    ];
    for (lines, renewed) in cases {
        let license = read(format!("{header}{}\n{}\n", lines[0], lines[1]));
        assert_eq!(license.features.iter().map(|feature| feature.renewed).collect::<Vec<_>>(), renewed, "{lines:?}");
    }
}

#[test]
fn a_license_of_which_nothing_is_valid_today_is_critical_whatever_the_reasons() {
    let header = "SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\n";
    let judged = |features: &str| {
        let license = read(format!("{header}{features}"));
        let found: Vec<(Severity, String)> =
            assess(&license).iter().map(|finding| (finding.severity, finding.code.to_string())).collect();
        (found, license.expires(today()))
    };
    let found =
        |list: &[(Severity, &str)]| list.iter().map(|(severity, code)| (*severity, (*code).to_owned())).collect();
    let old = "FEATURE QZX MOSEKLM 11 28-nov-2026 4\n";
    let next = "FEATURE QZX MOSEKLM 11 31-dec-2027 4 START=1-jan-2027\n";
    assert_eq!(
        judged(&format!("{old}{next}")),
        (found(&[(Critical, "license-expired"), (Critical, "license-not-started")]), Some(date("2027-12-31")))
    );
    let elsewhere = "FEATURE QZX other 11 31-dec-2027 4\n";
    assert_eq!(
        judged(&format!("{old}{elsewhere}")),
        (found(&[(Critical, "feature-without-vendor"), (Critical, "license-expired")]), Some(date("2026-11-28")))
    );
    // What another line renews, no daemon serves, or needs no server, has no end of its own.
    let renewed = "INCREMENT QZX MOSEKLM 11 2-dec-2026 4\nINCREMENT QZX MOSEKLM 11 2-dec-2027 4 START=3-dec-2026\n";
    assert_eq!(judged(renewed), (found(&[(Warning, "license-not-started")]), Some(date("2027-12-02"))));
    let long = "FEATURE QZX MOSEKLM 11 31-dec-2028 4\n";
    let demo = "FEATURE QZXB MOSEKLM 11 2-dec-2026 uncounted HOSTID=DEMO\n";
    assert_eq!(judged(&format!("{long}{demo}")), (Vec::new(), Some(date("2028-12-31"))));
    let foreign = "FEATURE QZXB other 11 2-dec-2026 4\n";
    assert_eq!(
        judged(&format!("{long}{foreign}")),
        (found(&[(Warning, "feature-without-vendor")]), Some(date("2028-12-31")))
    );
    // One of several features is never worse before its end than after it.
    let add_on = "FEATURE QZXB MOSEKLM 11 2-dec-2026 4\n";
    assert_eq!(
        judged(&format!("{long}{add_on}")),
        (found(&[(Warning, "license-expires-soon")]), Some(date("2026-12-02")))
    );
}

#[test]
fn ports_that_cannot_be_opened_are_reported() {
    let feature = "FEATURE QZX acme 1.0 permanent 4\n";
    let codes = |lines: &str| -> Vec<(Severity, String)> {
        let license = read(format!("{lines}\n{feature}"));
        assess(&license).iter().map(|finding| (finding.severity, finding.code.to_string())).collect()
    };
    let has = |lines: &str, severity: Severity, code: &str| {
        assert!(codes(lines).contains(&(severity, code.to_owned())), "{lines}: {:?}", codes(lines));
    };
    has("SERVER license 0273ae2adc81 744\nVENDOR acme port=745", Warning, "port-privileged");
    // lmgrd takes the first free port, which is the one of the vendor daemon.
    has("SERVER license 0273ae2adc81\nVENDOR acme port=27000", Critical, "port-used-twice");
    has("HOST license 0273ae2adc81\nISV acme port=5053", Critical, "port-used-twice");
    let remedy = |lines: &str, code: &str| {
        let found = assess(&read(format!("{lines}\n{feature}")));
        let finding = found.into_iter().find(|finding| finding.code.as_str() == code);
        finding.unwrap_or_else(|| panic!("{lines}: no {code}")).remedy
    };
    let moved = remedy("SERVER license 0273ae2adc81\nVENDOR acme\nUSE_SERVER port=27000", "vendor-port-not-fixed");
    assert!(moved.starts_with("Write port="), "{moved}");
    let rlm = remedy("HOST license 0273ae2adc81 5053\nISV acme", "vendor-port-not-fixed");
    assert!(rlm.starts_with("Write port=5055 "), "5054 is rlm's own: {rlm}");
    let twice = codes("SERVER license 0273ae2adc81 27007\nVENDOR acme\nVENDOR ACME port=27008");
    assert_eq!(twice, [(Warning, "vendor-repeated".to_owned())]);
}

#[test]
fn a_remedy_names_the_license_vendor_of_what_it_is_about() {
    let header = "SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\nVENDOR acme port=27009\n";
    let of = |expired: &str, valid: &str| {
        let features = format!("FEATURE QZX {expired} 11 28-nov-2026 4\nFEATURE QZX {valid} 11 permanent 4\n");
        let found = assess(&read(format!("{header}{features}")));
        found.into_iter().find(|finding| finding.code.as_str() == "license-expired").expect("it has expired").remedy
    };
    assert!(of("MOSEKLM", "acme").contains("ask support@mosek.com"), "{}", of("MOSEKLM", "acme"));
    assert!(of("acme", "MOSEKLM").contains("ask the vendors"), "{}", of("acme", "MOSEKLM"));
    let stray = read("SERVER license 0273ae2adc81 27007\nVENDOR acme port=27008\nFEATURE QZX MOSEKLM 11 0 4\n");
    assert_eq!(stray.contact(), "the vendor");
}

#[test]
fn dates_of_every_form_are_read() {
    let forms = [
        ("permanent", Expiry::Never),
        ("PERMANENT", Expiry::Never),
        ("0", Expiry::Never),
        ("1-jan-0", Expiry::Never),
        ("01-jan-00", Expiry::Never),
        ("1-jan-0000", Expiry::Never),
        ("31-dec-2031", Expiry::On(date("2031-12-31"))),
        ("1-JAN-2027", Expiry::On(date("2027-01-01"))),
        ("31-dec-31", Expiry::On(date("2031-12-31"))),
        ("31-dec-99", Expiry::On(date("1999-12-31"))),
        ("29-feb-2027", Expiry::Unknown),
        ("2027-01-01", Expiry::Unknown),
        ("31-dezember-2027", Expiry::Unknown),
        ("soon", Expiry::Unknown),
    ];
    for (text, expires) in forms {
        let license =
            read(format!("SERVER license 0273ae2adc81 27007\nVENDOR moseklm\nFEATURE QZX MOSEKLM 11 {text} 4\n"));
        let feature =
            Feature { line: 3, vendor: some("moseklm"), expires, starts: None, renewed: false, uncounted: false };
        assert_eq!(license.features, [feature], "{text}");
        let not_understood: &[usize] = if expires == Expiry::Unknown { &[3] } else { &[] };
        assert_eq!(license.not_understood, not_understood, "{text}");
    }
}

#[test]
fn the_end_of_a_license_is_warned_of_for_thirty_days_and_critical_in_the_last_week() {
    let header = "SERVER license 0273ae2adc81 27007\nVENDOR MOSEKLM port=27008\n";
    let on = |features: &[&str]| {
        let named = features.iter().enumerate();
        let lines: String = named.map(|(name, date)| format!("FEATURE QZX{name} MOSEKLM 11 {date} 4\n")).collect();
        let license = read(format!("{header}{lines}"));
        (license.expires(today()), assess(&license))
    };
    let cases = [
        ("28-nov-2026", Some((Critical, "license-expired", "line 3"))),
        ("29-nov-2026", Some((Critical, "license-expires-soon", "line 3"))),
        ("6-dec-2026", Some((Critical, "license-expires-soon", "line 3"))),
        ("7-dec-2026", Some((Warning, "license-expires-soon", "line 3"))),
        ("29-dec-2026", Some((Warning, "license-expires-soon", "line 3"))),
        ("30-dec-2026", None),
        ("permanent", None),
    ];
    for (text, finding) in cases {
        let expected: Vec<(Severity, &str, &str)> = finding.into_iter().collect();
        assert_eq!(brief(&on(&[text]).1), expected, "{text}");
    }
    // The first day counts on which something ends. What has expired already does not, unless nothing is left.
    assert_eq!(on(&["1-jan-2030", "1-jan-2029", "1-jan-2020", "permanent"]).0, Some(date("2029-01-01")));
    assert_eq!(on(&["1-jan-2019", "1-jan-2020"]).0, Some(date("2020-01-01")));
    assert_eq!(on(&["1-jan-2020", "permanent"]).0, None);
    let (_, findings) = on(&["1-jan-2019", "1-jan-2020", "1-jan-2031"]);
    assert_eq!(findings[0].message, "2 of 3 features have expired, the last on 2020-01-01.");
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
        "SERVER license.example.com 0273ae2adc81 27007\nUSE_SERVER\nVENDOR MOSEKLM port=27008\nFEATURE a MOSEKLM 11 0 4 "
            .to_owned();
    text.extend(std::iter::repeat_n('Q', LARGEST_FILE - text.len()));
    assert_eq!(header(read(&text)), license());
    text.push('Q');
    assert_refused(&text, None, Problem::TooLarge);

    let path = "p".repeat(4096 - "VENDOR MOSEKLM ".len());
    assert_eq!(read(format!("VENDOR MOSEKLM {path}")).vendors[0].path.as_ref(), Some(&path));
    let too_long = |line: usize| vec![LicenseError { line: Some(line), problem: Problem::LineTooLong }];
    assert_eq!(read(format!("# first\nVENDOR MOSEKLM {path}p")).faults, too_long(2));
    let continued = |keyword: &str| format!("{keyword} MOSEKLM \\\n{}", "\\\n".repeat(5000));
    assert_eq!(read(continued("VENDOR")).faults, too_long(1));
    assert_refused(continued("SERVER"), 1, Problem::LineTooLong);

    let daemons = |number: usize| (0..number).map(|n| format!("VENDOR v{n} port={}\n", 27010 + n)).collect::<String>();
    assert_eq!(read(daemons(64)).vendors.len(), 64);
    let too_many = read(daemons(66));
    assert_eq!((too_many.vendors.len(), too_many.faults.len()), (64, 2));
    assert_eq!(too_many.faults[0], LicenseError { line: Some(65), problem: Problem::TooManyLines });
}

#[test]
fn a_server_line_that_names_no_machine_is_refused_with_its_number() {
    let wrong = [
        ("SERVER", Problem::NoHost),
        ("SERVER license\u{a0}0273ae2adc81", Problem::OddBlank),
        ("SERVER l\u{ef}cense 0273ae2adc81", Problem::NotAscii),
        ("SERVER license", Problem::NoHostid),
        ("SERVER license \" \"", Problem::NoHostid),
        ("SERVER license 0273ae2adc81 0", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 65536", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 27000000", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 99999999999999999999", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 +27007", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 27007qzx", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 UDP:27007", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 port=27007", Problem::WrongServerPort),
        ("SERVER license 0273ae2adc81 VENDOR MOSEKLM", Problem::LinesJoined),
        ("SERVER license \"0273ae2adc81 27007", Problem::OpenQuote),
    ];
    for (line, problem) in wrong {
        let text = format!("# first\r\nUSE_SERVER\r\n{line}\r\n");
        let error = License::parse(text.as_bytes()).err();
        assert_eq!(error, Some(LicenseError { line: Some(3), problem }), "{line}");
    }
}

#[test]
fn an_invalid_line_that_leaves_the_machine_clear_is_a_critical_finding() {
    let wrong = [
        ("SERVER lic,1 0273ae2adc81 27007", Problem::WrongHost),
        ("SERVER license 0273ae2adc81 27007 FEATURE qzx", Problem::LinesJoined),
        ("SERVER license 0273ae2adc81 27007 sign=qzx", Problem::LinesJoined),
        ("SERVER license SIGN=\"qzx\"", Problem::LinesJoined),
        ("SERVER license 0273ae2adc81 <port>", Problem::Placeholder),
        ("SERVER license 0273ae2adc81 27007 VENDOR MOSEKLM", Problem::LinesJoined),
        ("USE_SERVER VENDOR MOSEKLM", Problem::LinesJoined),
        ("VENDOR MOSEKLM /opt/mosek?SIGN=qzx", Problem::LinesJoined),
        ("VENDOR MOSEKLM options=/opt/mosek.optsign=qzx", Problem::LinesJoined),
        ("VENDOR MOSEKLM \"/opt/mosek NOTICE=qzx\"", Problem::LinesJoined),
        ("VENDOR", Problem::NoVendorName),
        ("VENDOR /opt/mosek/MOSEKLM", Problem::WrongVendorName),
        ("VENDOR MOSEKLM <path of the daemon>", Problem::Placeholder),
        ("VENDOR MOSEKLM\u{a0}port=27008", Problem::OddBlank),
        ("DAEMON FEATURE qzx", Problem::LinesJoined),
        ("DAEMON MOSEKLM INCREMENT qzx", Problem::LinesJoined),
        ("VENDOR MOSEKLM port=", Problem::NoValue),
        ("VENDOR MOSEKLM port = 27008", Problem::NoValue),
        ("VENDOR MOSEKLM /opt/MOSEKLM =27008", Problem::NoValue),
        ("VENDOR MOSEKLM options= port=27008", Problem::NoValue),
        ("VENDOR MOSEKLM port=auto", Problem::WrongVendorPort),
        ("VENDOR MOSEKLM /opt/MOSEKLM 65536", Problem::WrongVendorPort),
        ("VENDOR MOSEKLM port=27008 port=27009", Problem::SaidTwice),
        ("VENDOR MOSEKLM /opt/MOSEKLM a.opt options=b.opt", Problem::SaidTwice),
        ("VENDOR MOSEKLM C:\\Program Files\\Mosek x64\\MOSEKLM.exe", Problem::TooManyWords),
        ("VENDOR MOSEKLM \"/opt/mosek", Problem::OpenQuote),
    ];
    let server = "SERVER license.example.com 0273ae2adc81 27007";
    for (line, problem) in wrong {
        let before = if line.starts_with("SERVER") { "# first" } else { server };
        let license = read(format!("{before}\r\n# second\r\n{line}\r\n"));
        assert_eq!(license.faults, [LicenseError { line: Some(3), problem }], "{line}");
        let named = if line.contains("SIGN=\"qzx\"") { None } else { Some(parsed(MAC)) };
        assert_eq!(license.mac_address(), named, "{line}");
        let finding = assess(&license).into_iter().find(|finding| finding.code.as_str() == "line-invalid");
        let finding = finding.unwrap_or_else(|| panic!("{line}: {:?}", assess(&license)));
        assert_eq!((finding.severity, finding.resource.as_deref()), (Critical, Some("line 3")), "{line}");
        assert_eq!(finding.message.to_lowercase(), format!("{problem}.").to_lowercase(), "{line}");
        assert_eq!(finding.remedy, problem.hint(), "{line}");
    }
}

#[test]
fn merged_lines_are_reported_without_being_quoted() {
    for name in ["line-break-lost", "backslash-too-many"] {
        let license = read(file(name));
        assert_eq!(license.mac_address(), Some(parsed(MAC)), "{name}");
        let [finding] = assess(&license).try_into().unwrap_or_else(|findings| panic!("{name}: {findings:?}"));
        assert_eq!(finding.message, "The line runs into another line of the license.", "{name}");
        assert_eq!(
            finding.remedy,
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
        "Write the port as a bare number after the hostid, as in SERVER license.example.com 0273ae2adc81 27007 for port \
         27007."
    );
}

// ---- The same reading on the members ----

/// What the boot unit reads from a license file.
#[derive(Debug, Clone, Default, PartialEq)]
struct ReadByTheBootUnit {
    macs: Vec<String>,
    watched: Option<u16>,
    vendors: Vec<String>,
}

/// What the boot unit reads from a file, or why it reads no MAC address.
fn read_by_the_boot_unit(shell: &str, path: &std::path::Path) -> Result<ReadByTheBootUnit, String> {
    let script = standard::root().join("deploy/boot/token-server");
    let mut command = std::process::Command::new(shell);
    let command = command.arg(script).arg("license").env("LICENSE_FILE", path);
    let output = command.output().unwrap_or_else(|error| panic!("{shell}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.code() {
        Some(0) => {
            let text = text(&output.stdout);
            let lines: Vec<&str> = text.lines().collect();
            let [macs, port, vendors] = lines[..] else { panic!("{text}") };
            let after = |line: &str, what| line.strip_prefix(what).unwrap_or_else(|| panic!("{text}")).to_owned();
            let vendors = after(vendors, "vendor daemons: ");
            Ok(ReadByTheBootUnit {
                macs: after(macs, "MAC address: ").split(" or ").map(str::to_owned).collect(),
                watched: after(port, "watched port: ").parse().ok(),
                vendors: vendors.split(' ').filter(|name| *name != "-").map(str::to_owned).collect(),
            })
        }
        Some(1) => Err(text(&output.stderr)),
        _ => panic!("{}: {output:?}", path.display()),
    }
}

/// The port of the only vendor daemon.
fn only_port(license: &License) -> Option<u16> {
    let mut ports = license.vendors.iter().map(|vendor| vendor.port);
    let first = ports.next().flatten()?;
    (license.vendor_names().len() == 1 && ports.all(|port| port == Some(first))).then_some(first)
}

/// Checks that the command and the boot unit name the same MAC addresses, or that neither names one, and that the boot
/// unit watches no other port than that of the only vendor daemon. Returns whether they name a MAC address.
#[track_caller]
fn assert_read_alike(path: &std::path::Path, what: &str) -> bool {
    let bytes = fs::read(path).expect("a file");
    let license = License::parse(&bytes);
    let here = license.as_ref().map(License::mac_addresses).unwrap_or_default();
    let here: Vec<String> = here.iter().map(ToString::to_string).collect();
    let there = read_by_the_boot_unit("sh", path);
    let ReadByTheBootUnit { macs: named, watched, vendors } = there.clone().unwrap_or_default();
    let known = license.as_ref().ok().and_then(only_port);
    // The command leaves out an invalid line. Its port may be right all the same.
    let is_clear = license.as_ref().is_ok_and(|license| license.faults.is_empty());
    assert!(
        watched.is_none() || watched == known || !is_clear,
        "{what}: {watched:?}, and not {known:?}, of\n{}",
        String::from_utf8_lossy(&bytes)
    );
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(
        sorted(named),
        sorted(here),
        "{what}: the boot unit says {there:?} of\n{}",
        String::from_utf8_lossy(&bytes)
    );
    // The boot unit names no vendor daemon if a VENDOR line is unclear.
    if let (true, Ok(license)) = (is_clear && !vendors.is_empty(), &license) {
        assert_eq!(sorted(vendors), license.vendor_names(), "{what}: {}", String::from_utf8_lossy(&bytes));
    }
    if let Err(reason) = &there {
        assert!(!reason.is_empty() && !has_license_text(reason), "{what}: {reason:?}");
    }
    there.is_ok()
}

#[test]
fn the_command_and_the_boot_unit_name_the_same_mac_addresses() {
    let folder = standard::root().join("tests/licenses");
    let mut named = 0;
    for name in files().keys() {
        let path = folder.join(format!("{name}.lic"));
        named += usize::from(assert_read_alike(&path, name));
        let Ok(there) = read_by_the_boot_unit("sh", &path) else { continue };
        let license = read_file(name);
        assert_eq!(there.watched, only_port(&license).filter(|_| license.faults.is_empty()), "{name}");
    }
    assert!(named > files().len() / 2, "the boot unit names a MAC address in {named} files only");
}

#[test]
fn the_command_and_the_boot_unit_read_damaged_files_alike() {
    let corpus: Vec<Vec<u8>> = files().into_values().collect();
    let path = std::env::temp_dir().join(format!("token-failover-{}.lic", std::process::id()));
    let mut dice = Dice::new(6);
    let (tried, mut named) = (inputs(2_000), 0);
    for number in 0..tried {
        let original = dice.pick(&corpus);
        fs::write(&path, damage(&mut dice, &original, &PIECES)).expect("a temporary file");
        named += u64::from(assert_read_alike(&path, &format!("input {number}")));
    }
    fs::remove_file(&path).expect("the temporary file");
    assert!(named > tried / 4, "the boot unit names a MAC address in {named} files only");
}

// ---- Rules for every file ----

/// Everything that a program could show about a file, readable or not.
fn outputs(input: &[u8]) -> String {
    match License::parse(input) {
        Err(error) => format!("{error}\n{}\n{error:?}", error.hint()),
        Ok(license) => {
            let findings = [assess(&license), assess_for(&license, MAC), assess_for(&license, OTHER_MAC)];
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
    for finding in assess_for(&license, MAC) {
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
    let mut dice = Dice::new(5);
    let (tried, mut understood) = (inputs(LICENSES), 0);
    for number in 0..tried {
        let original = dice.pick(&corpus);
        let input = damage(&mut dice, &original, &PIECES);
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
