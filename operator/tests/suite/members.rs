//! `init` with members that a tag names, and with members in an Auto Scaling group.

use std::fs;
use std::process::Output;

use simulator::{AutoScalingGroupSpec, Scenario, names};

use crate::desk::{Desk, status, stderr, stdout};
use crate::operator::TOPIC;

const TAG: &str = "token-server=yes";
const BY_TAG: [&str; 5] = ["init", "--interface", names::INTERFACE, "--members", TAG];
const BY_IDS: [&str; 3] = ["init", "--interface", names::INTERFACE];
/// The interface of another license.
const OTHER: &str = "eni-0ddddddddddddddd2";

/// The group, and an interface that is attached to nothing, as after the creation of the pair.
fn not_attached() -> Scenario {
    simulator::grouped().interface(names::INTERFACE, |interface| interface.free())
}

/// The pair without a group, both with the tag.
fn tagged() -> Scenario {
    simulator::pair()
        .instance(names::HOLDER, |holder| holder.tag("token-server", "yes"))
        .instance(names::STANDBY, |standby| standby.tag("token-server", "yes"))
}

fn written(desk: &Desk) -> Option<String> {
    fs::read_to_string(desk.folder.join("samconfig.toml")).ok()
}

/// The parameters of the standard world, after those that name the members.
const REST: &str = "TokenServerHostid=\"0273ae2adc81\" TokenServerAllocationId=\"eipalloc-0eeeeeeeeeeeeeee1\" \
                    TokenServerDeviceIndex=\"1\" TokenServerSecurityGroupId=\"sg-0fffffffffffffff1\"";

/// The file with these parameters in place of the members.
fn file(members: &str) -> Option<String> {
    Some(format!(
        "version = 0.1\n\n[default.deploy.parameters]\nparameter_overrides = 'TokenServerInterfaceId=\"{}\" {members} {REST}'\n\
         stack_name = \"token-failover\"\ncapabilities = \"CAPABILITY_IAM\"\nregion = \"eu-west-1\"\nresolve_s3 = true\n",
        names::INTERFACE
    ))
}

/// All that the command prints, with these lines about the members, and these sentences.
fn output(members: &str, sentences: &str) -> String {
    format!(
        "asking EC2 about eni-0ddddddddddddddd1 ...\n\
         eni-0ddddddddddddddd1 (02:73:ae:2a:dc:81) in eu-west-1a:\n\
         \x20 TokenServerInterfaceId     eni-0ddddddddddddddd1\n\
         {members}\
         \x20 TokenServerHostid          0273ae2adc81\n\
         \x20 TokenServerAllocationId    eipalloc-0eeeeeeeeeeeeeee1\n\
         \x20 TokenServerDeviceIndex     1\n\
         \x20 TokenServerSecurityGroupId sg-0fffffffffffffff1\n\
         {sentences}\n\
         Written to samconfig.toml. Now: sam deploy\n\
         In a clone of the repository, build first: sam build && sam deploy\n"
    )
}

/// Checks the exit status, all that the command printed, and the whole file. Nothing in AWS has changed.
#[track_caller]
fn assert_ended(desk: &Desk, ended: &Output, expected: (i32, &str, Option<String>)) {
    let (code, said, file) = expected;
    assert_eq!(stderr(ended), said);
    assert_eq!((status(ended), stdout(ended), written(desk)), (Some(code), String::new(), file));
    assert!(desk.simulator.changes().is_empty() && desk.simulator.messages().is_empty());
}

#[test]
fn init_writes_the_tag_and_says_which_instances_have_it() {
    let away = "i-0eeeeeeeeeeeeeee5";
    for (name, scenario, code, sentences) in [
        (
            "tag-group",
            simulator::grouped(),
            0,
            "2 instances have the tag token-server=yes: i-0aaaaaaaaaaaaaaa1 (running, has the interface), \
             i-0bbbbbbbbbbbbbbb2 (running).\n",
        ),
        (
            "tag-not-attached",
            not_attached(),
            0,
            "2 instances have the tag token-server=yes: i-0aaaaaaaaaaaaaaa1 (running), i-0bbbbbbbbbbbbbbb2 (running).\n",
        ),
        // A group may launch its instances after the deployment.
        (
            "tag-none",
            simulator::pair().interface(names::INTERFACE, |interface| interface.free()),
            1,
            "No instance in the interface's VPC and zone has the tag token-server=yes. Until one has it, no instance may \
             hold the interface.\n",
        ),
        (
            "tag-elsewhere",
            simulator::pair()
                .instance(away, |away| away.tag("token-server", "yes").zone("eu-west-1b", names::OTHER_SUBNET)),
            1,
            "No instance in the interface's VPC and zone has the tag token-server=yes. Until one has it, no instance may \
             hold the interface.\n\
             warning  The tag token-server=yes is also on i-0eeeeeeeeeeeeeee5 in another VPC or zone. An interface never \
             leaves its zone, so they are not members. [members-elsewhere]\n  \
             Launch token servers in the interface's zone, or remove the tag there:\n\
             aws ec2 describe-instances --filters 'Name=tag:token-server,Values=yes' --query \
             'Reservations[].Instances[].[InstanceId,State.Name,Placement.AvailabilityZone,VpcId]' --output text --region \
             eu-west-1\n",
        ),
        (
            "tag-stopping",
            tagged().instance(names::STANDBY, |standby| standby.state(simulator::world::InstanceState::Stopping)),
            1,
            "2 instances have the tag token-server=yes: i-0aaaaaaaaaaaaaaa1 (running, has the interface), \
             i-0bbbbbbbbbbbbbbb2 (stopping).\n\
             critical  No standby can take the interface now. [no-viable-standby]\n  \
             Make one of the standbys viable: each has its own finding. The next run that needs a standby uses it.\n\
             warning  i-0bbbbbbbbbbbbbbb2 cannot take the interface: it is still stopping. [standby-not-viable]\n  \
             Wait. The next run checks again.\n",
        ),
        (
            "tag-one",
            simulator::pair().instance(names::HOLDER, |holder| holder.tag("token-server", "yes")),
            1,
            "One instance has the tag token-server=yes: i-0aaaaaaaaaaaaaaa1 (running, has the interface).\n\
             critical  No standby can take the interface now. [no-viable-standby]\n  \
             Make one of the standbys viable: each has its own finding. The next run that needs a standby uses it.\n",
        ),
    ] {
        let desk = Desk::new(name, scenario);
        let members = "  TokenServerMembers         token-server=yes\n";
        let said = output(members, sentences);
        let ended = desk.run(&BY_TAG);
        assert_ended(&desk, &ended, (code, &said, file("TokenServerMembers=\"token-server=yes\"")));
    }
}

#[test]
fn init_says_that_the_function_would_refuse_the_tag() {
    let mut many = simulator::grouped();
    for number in 3..=21 {
        many = many.instance(&format!("i-0{number:016x}"), |one| one.tag("token-server", "yes"));
    }
    let stranger = simulator::pair().instance(names::STANDBY, |standby| standby.tag("token-server", "yes"));
    for (name, scenario, severity, problem) in [
        (
            "tag-many",
            many,
            "critical",
            "21 instances in the interface's VPC and zone have the tag token-server=yes. At most 20 can be members, so nothing \
             was changed. [too-many-members]",
        ),
        (
            "tag-stranger",
            stranger,
            "critical",
            "eni-0ddddddddddddddd1 is attached to i-0aaaaaaaaaaaaaaa1, which is not an instance with the tag token-server=yes in \
             the interface's VPC and zone. [held-by-stranger]",
        ),
    ] {
        let desk = Desk::new(name, scenario);
        let ended = desk.run(&BY_TAG);
        let said = stderr(&ended);
        let findings: Vec<&str> =
            said.lines().filter(|line| line.starts_with("critical") || line.starts_with("warning")).collect();
        assert_eq!(findings, [format!("{severity}  {problem}")], "{name}: {said}");
        let file = file("TokenServerMembers=\"token-server=yes\"");
        assert_eq!((status(&ended), written(&desk)), (Some(1), file), "{name}");
        assert!(desk.simulator.changes().is_empty(), "{name}");
    }
}

#[test]
fn init_chooses_a_device_index_that_is_free_on_every_instance_with_the_tag() {
    for (name, scenario, number, reason) in [
        ("tag-index", not_attached(), "1", ""),
        (
            "tag-index-taken",
            not_attached().interface(OTHER, |other| other.on(names::STANDBY, 1)),
            "2",
            "Device index 2: 1 is taken by eni-0ddddddddddddddd2 on i-0bbbbbbbbbbbbbbb2.",
        ),
        // An instance without the tag does not count, and neither does one that is being terminated.
        (
            "tag-index-stranger",
            not_attached()
                .instance(names::NON_MEMBER, |other| other)
                .interface(OTHER, |other| other.on(names::NON_MEMBER, 1)),
            "1",
            "",
        ),
        (
            "tag-index-dying",
            tagged()
                .interface(names::INTERFACE, |interface| interface.free())
                .instance(names::STANDBY, |dying| dying.state(simulator::world::InstanceState::ShuttingDown))
                .interface(OTHER, |other| other.on(names::STANDBY, 1)),
            "1",
            "",
        ),
    ] {
        let desk = Desk::new(name, scenario);
        let ended = desk.run(&BY_TAG);
        let file = written(&desk).unwrap_or_default();
        assert!(file.contains(&format!("TokenServerDeviceIndex=\"{number}\"")), "{name}: {file}");
        let said = stderr(&ended);
        let given = said.lines().find(|line| line.starts_with("Device index ")).unwrap_or_default();
        assert_eq!(given, reason, "{name}");
    }
}

#[test]
fn init_empties_the_other_parameter_of_the_members_in_an_existing_file() {
    let desk = Desk::new("tag-and-back", tagged());
    let ids = "TokenServerInstanceIds=\"i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2\"";
    assert_eq!(status(&desk.run(&BY_IDS)), Some(0));
    assert_eq!(written(&desk), file(ids));

    // The deployed stack would keep the ids, and refuse both.
    let said = output(
        "  TokenServerInstanceIds     \"\"\n  TokenServerMembers         token-server=yes\n",
        "2 instances have the tag token-server=yes: i-0aaaaaaaaaaaaaaa1 (running, has the interface), i-0bbbbbbbbbbbbbbb2 \
         (running).\n",
    );
    let by_tag = "TokenServerInstanceIds=\"\" TokenServerMembers=\"token-server=yes\"";
    for _ in 0..2 {
        let ended = desk.run(&[&BY_TAG[..], &["--yes"]].concat());
        assert_ended(&desk, &ended, (0, &said, file(by_tag)));
    }
    let planned = desk.run(&["--set", TOPIC, "plan"]);
    assert!(stdout(&planned).starts_with("Nothing would move. "), "{}", stderr(&planned));

    assert_eq!(status(&desk.run(&[&BY_IDS[..], &["--yes"]].concat())), Some(0));
    assert_eq!(written(&desk), file(&format!("{ids} TokenServerMembers=\"\"")));
    let planned = desk.run(&["--set", TOPIC, "plan"]);
    assert!(stdout(&planned).starts_with("Nothing would move. "), "{}", stderr(&planned));
}

#[test]
fn init_accepts_one_tag_and_no_standby_beside_it() {
    let desk = Desk::new("tag-invalid", simulator::grouped());
    for tag in ["token-server", "=yes", "token-server=", "token-server=*"] {
        let ended = desk.run(&["init", "--interface", names::INTERFACE, "--members", tag]);
        let problem = format!(
            "error: invalid value '{tag}' for '--members <KEY=VALUE>': expected a tag of the members as key=value, such as \
             token-server=license-eu\n"
        );
        assert!(stderr(&ended).starts_with(&problem), "{}", stderr(&ended));
        assert_eq!((status(&ended), written(&desk)), (Some(2), None), "{tag}");
    }
    let ended = desk.run(&[&BY_TAG[..], &["--standby", names::STANDBY]].concat());
    let problem = "error: the argument '--members <KEY=VALUE>' cannot be used with '--standby <INSTANCE>'\n";
    assert!(stderr(&ended).starts_with(problem), "{}", stderr(&ended));
    assert_eq!((status(&ended), written(&desk)), (Some(2), None));
    assert!(desk.simulator.journal().is_empty());
}

#[test]
fn init_writes_no_ids_of_a_group_and_says_which_tag_to_pass() {
    let two_tags = || {
        simulator::grouped()
            .instance(names::HOLDER, |holder| holder.tag("team", "licenses"))
            .instance(names::STANDBY, |standby| standby.tag("team", "licenses"))
    };
    let spaced = || {
        let group = |group: AutoScalingGroupSpec| {
            group.members([names::HOLDER, names::STANDBY]).launches(|instance| instance.tag("team", "token servers"))
        };
        simulator::pair().auto_scaling_group(names::AUTO_SCALING_GROUP, group)
    };
    let members = "i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2 are in the Auto Scaling group token-servers, so their ids will \
                   change when the group replaces an instance";
    let of_the_group = "aws:autoscaling:groupName=token-servers";
    for (name, scenario, tag) in [
        ("group-tag", simulator::grouped(), TAG),
        ("group-not-attached", not_attached(), TAG),
        // A name is for people.
        ("group-named", simulator::grouped().instance(names::HOLDER, |holder| holder.tag("Name", "license")), TAG),
        ("group-two-tags", two_tags(), of_the_group),
        // The tag would make a member of the other instance.
        (
            "group-tag-elsewhere",
            simulator::grouped().instance(names::NON_MEMBER, |other| other.tag("token-server", "yes")),
            of_the_group,
        ),
        ("group-tag-with-a-space", spaced(), "'team=token servers'"),
        // The other instance is none of the group, and the holder is.
        ("group-neighbor", simulator::grouped().instance(names::NON_MEMBER, |other| other), TAG),
    ] {
        let desk = Desk::new(name, scenario);
        let ended = desk.run(&BY_IDS);
        let said = format!(
            "asking EC2 about eni-0ddddddddddddddd1 ...\n\
             error: {members}\n\
             To write the ids nevertheless, pass --standby. To name the members by their tag, pass:\n  \
             --members {tag}\n"
        );
        assert_ended(&desk, &ended, (2, &said, None));
        let by_tag = desk.run(&["init", "--interface", names::INTERFACE, "--members", tag.trim_matches('\'')]);
        assert_eq!(status(&by_tag), Some(0), "{name}: {}", stderr(&by_tag));
    }
}

#[test]
fn init_writes_the_ids_of_a_group_only_if_the_standbys_are_named_and_warns() {
    let desk = Desk::new("group-ids", simulator::grouped());
    let ended = desk.run(&[&BY_IDS[..], &["--standby", names::STANDBY]].concat());
    let said = output(
        "  TokenServerInstanceIds     i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2\n",
        "warning  i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2 are in the Auto Scaling group token-servers, so their ids will \
         change when the group replaces an instance. [members-in-auto-scaling-group]\n  \
         To name the members by their tag, pass:\n  --members token-server=yes\n",
    );
    let ids = "TokenServerInstanceIds=\"i-0aaaaaaaaaaaaaaa1,i-0bbbbbbbbbbbbbbb2\"";
    assert_ended(&desk, &ended, (1, &said, file(ids)));
}
