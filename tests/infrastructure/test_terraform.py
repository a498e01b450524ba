"""deploy/terraform, as a parser reads it: the guards that the page names, and the parameters for token-failover."""

import re
import unittest

import hcl2

from examples import IDS, ROOT, named, token_failover

FILES = {path.name: path.read_text() for path in sorted((ROOT / "deploy" / "terraform").glob("*.tf"))}
PREFIX = "token-failover:"
FAILOVER = "aws_cloudformation_stack.token_failover"
KEPT = ("aws_network_interface.license", "aws_eip.license", "aws_security_group.license")


def plain(value):
    """The value without what the parser adds: quotation marks around strings, marks of blocks, comments."""
    if isinstance(value, dict):
        return {plain(key): plain(it) for key, it in value.items() if key not in ("__is_block__", "__comments__")}
    if isinstance(value, list):
        return [plain(it) for it in value]
    if isinstance(value, str) and value.startswith('"') and value.endswith('"'):
        return value[1:-1]
    return value


class Configuration:
    """The blocks of the files."""

    def __init__(self, files):
        self.resources, self.providers, self.variables, self.locals = {}, {}, {}, {}
        for text in files.values():
            blocks = plain(hcl2.loads(text))
            for kinds in blocks.get("resource", []):
                for kind, names in kinds.items():
                    for name, body in names.items():
                        self.resources[f"{kind}.{name}"] = body
            for provider in blocks.get("provider", []):
                self.providers |= provider
            for variable in blocks.get("variable", []):
                self.variables |= variable
            for local in blocks.get("locals", []):
                self.locals |= local

    def of_type(self, kind):
        return {name: it for name, it in self.resources.items() if name.startswith(f"{kind}.")}

    def lifecycle(self, name):
        [lifecycle] = self.resources[name].get("lifecycle", [{}])
        return lifecycle


def mentions(value, word):
    return re.search(rf"\b{re.escape(word)}\b", str(value)) is not None


# What the page says must be there.
GUARDS = {
    "ignore_tags": lambda it: it.providers["aws"].get("ignore_tags") == [{"key_prefixes": [PREFIX]}],
    "prevent_destroy": lambda it: all(it.lifecycle(name).get("prevent_destroy") is True for name in KEPT),
    "ignore_changes = [attachment]": lambda it: it.lifecycle(KEPT[0]).get("ignore_changes") == ["attachment"],
    "ignore_changes = [ami, user_data]": lambda it:
        it.lifecycle("aws_instance.member").get("ignore_changes") == ["ami", "user_data"],
    "disable_api_termination": lambda it:
        it.resources["aws_instance.member"].get("disable_api_termination") == '${var.instances == "two-instances"}',
    "network_interface_id": lambda it: all(
        association.get("network_interface_id") == "${aws_network_interface.license.id}" and "instance_id" not in association
        for association in it.of_type("aws_eip_association").values()),
    "license_hostid": lambda it:
        it.resources[FAILOVER]["parameters"].get("TokenServerHostid") == "${var.license_hostid}",
}

# What the page says must not be there.
LEFT_OUT = {
    "aws_network_interface_attachment": lambda it: bool(it.of_type("aws_network_interface_attachment")),
    "attachment": lambda it: any("attachment" in body for body in it.of_type("aws_network_interface").values()),
    # Also as a secondary interface, in a block of any name.
    "network_interface": lambda it: any(
        mentions(body, "aws_network_interface") or any("network_interface" in key for key in body)
        for body in it.of_type("aws_instance").values()) or any(
        mentions(body, "aws_network_interface") for body in it.of_type("aws_launch_template").values()),
    "instance": lambda it: any({"instance", "network_interface"} & body.keys() for body in it.of_type("aws_eip").values()),
    "ingress": lambda it: any("ingress" in body for body in it.of_type("aws_security_group").values()),
    "aws_ec2_instance_state": lambda it: bool(it.of_type("aws_ec2_instance_state")),
    "instance_refresh": lambda it: any("instance_refresh" in body for body in it.of_type("aws_autoscaling_group").values()),
}


def faults(files):
    """The guards that are missing, and what should have been left out."""
    configuration = Configuration(files)
    return ([name for name, is_there in GUARDS.items() if not is_there(configuration)]
            + [name for name, is_there in LEFT_OUT.items() if is_there(configuration)])


# Changes that break one guard each: the file, what is there, what replaces it, and the only fault.
BREAKS = [
    ("main.tf", '  ignore_tags {\n    key_prefixes = ["token-failover:"]\n  }\n', "", "ignore_tags"),
    ("main.tf", '["token-failover:"]', '["token-failover"]', "ignore_tags"),
    ("main.tf", "    prevent_destroy = true\n    ignore_changes", "    ignore_changes", "prevent_destroy"),
    ("main.tf", 'domain = "vpc"', 'domain = "vpc"\n  instance = aws_instance.member[0].id', "instance"),
    ("main.tf", "    ignore_changes  = [attachment]\n", "", "ignore_changes = [attachment]"),
    ("main.tf", "    ignore_changes = [ami, user_data]\n", "    ignore_changes = [user_data]\n",
     "ignore_changes = [ami, user_data]"),
    ("main.tf", '  disable_api_termination     = var.instances == "two-instances"\n', "", "disable_api_termination"),
    ("main.tf", "  network_interface_id = aws_network_interface.license.id\n",
     "  instance_id = aws_instance.member[0].id\n", "network_interface_id"),
    ("main.tf", "= var.license_hostid", '= replace(aws_network_interface.license.mac_address, ":", "")', "license_hostid"),
    ("main.tf", "\n# ---- The security groups ----", """
resource "aws_network_interface_attachment" "license" {
  instance_id          = aws_instance.member[0].id
  network_interface_id = aws_network_interface.license.id
  device_index         = 1
}
""", "aws_network_interface_attachment"),
    ("main.tf", "  private_ips     =", """  attachment {
    instance     = aws_instance.member[0].id
    device_index = 1
  }
  private_ips =""", "attachment"),
    ("main.tf", "  user_data                   =", """  network_interface {
    network_interface_id = aws_network_interface.license.id
    device_index         = 1
  }
  user_data =""", "network_interface"),
    ("group.tf", '    associate_public_ip_address = "false"\n',
     "    network_interface_id = aws_network_interface.license.id\n", "network_interface"),
    ("main.tf", '  description = "Clients of', '  ingress {\n    from_port = 1\n  }\n  description = "Clients of', "ingress"),
    ("main.tf", "\n# ---- Outputs ----", """
resource "aws_ec2_instance_state" "member" {
  instance_id = aws_instance.member[0].id
  state       = "running"
}
""", "aws_ec2_instance_state"),
    ("group.tf", "  health_check_type         =",
     '  instance_refresh {\n    strategy = "Rolling"\n  }\n  health_check_type =', "instance_refresh"),
]


class TerraformExample(unittest.TestCase):
    maxDiff = None

    def test_the_example_has_every_guard_and_nothing_that_takes_a_move_back(self):
        self.assertEqual([], faults(FILES))

    def test_the_page_names_every_guard_of_the_example_and_no_others(self):
        self.assertEqual(set(GUARDS), named("Terraform", "guard"))
        self.assertEqual(set(LEFT_OUT), named("Terraform", "leave out"))

    def test_the_check_finds_each_guard_that_is_removed(self):
        for name, before, after, fault in BREAKS:
            self.assertEqual(1, FILES[name].count(before), before)
            with self.subTest(fault, change=after):
                self.assertEqual([fault], faults(FILES | {name: FILES[name].replace(before, after)}))
        self.assertEqual(set(GUARDS) | set(LEFT_OUT), {fault for *_, fault in BREAKS})

    def test_each_kept_resource_is_kept(self):
        for kind, name in (it.split(".") for it in KEPT):
            text = FILES["main.tf"]
            [body] = re.findall(rf'^resource "{kind}" "{name}" {{\n.*?^}}\n', text, re.MULTILINE | re.DOTALL)
            broken = text.replace(body, body.replace("prevent_destroy = true", "prevent_destroy = false"))
            self.assertEqual(["prevent_destroy"], faults(FILES | {"main.tf": broken}), kind)

    def test_the_instances_are_as_a_pair_needs_them(self):
        configuration = Configuration(FILES)
        [member] = configuration.of_type("aws_instance").values()
        [template] = configuration.of_type("aws_launch_template").values()
        options = [{"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1}]
        for instance in (member, template):
            self.assertEqual((options, [{"auto_recovery": "disabled"}]),
                             (instance["metadata_options"], instance["maintenance_options"]))
        self.assertEqual([{"encrypted": True, "volume_type": "gp3"}], member["root_block_device"])
        self.assertEqual([{"encrypted": "true", "volume_type": "gp3", "delete_on_termination": "true"}],
                         template["block_device_mappings"][0]["ebs"])
        [interface] = template["network_interfaces"]
        self.assertEqual((False, "false"), (member["associate_public_ip_address"], interface["associate_public_ip_address"]))
        # One subnet, and so one zone.
        [group] = configuration.of_type("aws_autoscaling_group").values()
        self.assertEqual(("${var.subnet_id}", "${var.subnet_id}", ["${var.subnet_id}"]), (
            configuration.resources[KEPT[0]]["subnet_id"], member["subnet_id"], group["vpc_zone_identifier"]))

    def test_the_function_finds_the_group_its_hook_and_its_members(self):
        configuration = Configuration(FILES)
        [group] = configuration.of_type("aws_autoscaling_group").values()
        [tag] = group["dynamic"]
        self.assertEqual({"Name": "${var.name}", "token-server": "${var.name}"}, tag["tag"]["for_each"])
        [hook] = configuration.of_type("aws_autoscaling_lifecycle_hook").values()
        self.assertEqual(("token-failover", "autoscaling:EC2_INSTANCE_TERMINATING", 7200, "ABANDON"), (
            hook["name"], hook["lifecycle_transition"], hook["heartbeat_timeout"], hook["default_result"]))
        self.assertEqual("token-server=${var.name}", configuration.locals["tag"])

    def parameters(self, instances, elastic_ip):
        """The parameters for token-failover, as Terraform evaluates them."""
        two = instances == "two-instances"
        defaults = {name: it.get("default") for name, it in Configuration(FILES).variables.items()}
        values = {
            "${aws_network_interface.license.id}": IDS["interface"],
            '${var.instances == "two-instances" ? join(",", aws_instance.member[*].id) : ""}':
                f"{IDS['first']},{IDS['second']}" if two else "",
            '${var.instances == "two-instances" ? "" : local.tag}': "" if two else f"token-server={defaults['name']}",
            '${var.elastic_ip ? aws_eip.license[0].allocation_id : ""}': IDS["allocation"] if elastic_ip else "",
            "${aws_security_group.license.id}": IDS["security group"],
            "${var.name}": defaults["name"], "${var.license_hostid}": defaults["license_hostid"],
            "${var.license_expires}": defaults["license_expires"],
            "${var.lmgrd_port},${var.vendor_port}": f"{defaults['lmgrd_port']},{defaults['vendor_port']}",
            "${var.client_cidr}": "10.0.0.0/16", "${var.notification_email}": "ops@example.com",
            "${var.second_notification_email}": defaults["second_notification_email"],
        }
        given = Configuration(FILES).resources[FAILOVER]["parameters"]
        return {name: values[it] if "${" in it else it for name, it in given.items()}

    def test_template_yaml_accepts_the_parameters(self):
        for instances in ("two-instances", "both", "auto-scaling-group"):
            for elastic_ip in (False, True):
                environment = token_failover(self.parameters(instances, elastic_ip)).environment
                two = instances == "two-instances"
                self.assertEqual({
                    "TOKEN_SERVER_INTERFACE_ID": IDS["interface"],
                    "TOKEN_SERVER_INSTANCE_IDS": f"{IDS['first']},{IDS['second']}" if two else "",
                    "TOKEN_SERVER_MEMBERS": "" if two else "token-server=token-server",
                    "TOKEN_SERVER_ALLOCATION_ID": IDS["allocation"] if elastic_ip else "",
                    "TOKEN_SERVER_DEVICE_INDEX": "1", "TOKEN_SERVER_PORTS": "27007,27008",
                    "TOKEN_SERVER_CLIENTS": "10.0.0.0/16",
                }, {name: environment[name] for name in (
                    "TOKEN_SERVER_INTERFACE_ID", "TOKEN_SERVER_INSTANCE_IDS", "TOKEN_SERVER_MEMBERS",
                    "TOKEN_SERVER_ALLOCATION_ID", "TOKEN_SERVER_DEVICE_INDEX", "TOKEN_SERVER_PORTS", "TOKEN_SERVER_CLIENTS")})

    def test_a_parameter_that_does_not_exist_or_a_value_that_is_not_allowed_is_refused(self):
        right = self.parameters("two-instances", False)
        for wrong in ({"TokenServerInterface": IDS["interface"]}, {"TokenServerLicenseCheckDocument": "lmstat"},
                      {"TokenServerMembers": "token-server=x"}):
            with self.assertRaises(ValueError, msg=wrong):
                token_failover(right | wrong)

    def test_every_variable_is_used_and_every_variable_that_is_used_exists(self):
        used = set(re.findall(r"\bvar\.(\w+)", "".join(FILES.values())))
        self.assertEqual(set(Configuration(FILES).variables), used)

    def unknown_resources(self, files):
        named_here = set(re.findall(r"(?<![\w.])(aws_\w+\.\w+)", "".join(files.values())))
        return named_here - set(Configuration(files).resources)

    def test_every_resource_that_is_named_exists(self):
        self.assertEqual(set(), self.unknown_resources(FILES))
        misspelled = FILES["main.tf"].replace("[aws_security_group.license.id]", "[aws_security_group.licence.id]")
        self.assertEqual({"aws_security_group.licence"}, self.unknown_resources(FILES | {"main.tf": misspelled}))


if __name__ == "__main__":
    unittest.main()
