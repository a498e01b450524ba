"""Alarms and dashboard: their metrics, their queries of the log, and the topic of the alarms."""

import json
import re
import unittest

import insights
from deployment import REGION, ROOT, deploy

OWN_METRICS = {
    "Moves", "MoveDuration", "FailedMoves", "Refusals", "ViableStandbys", "CriticalFindings", "EventAge", "Paused",
    "LicenseDaysLeft",
}
# The metrics of each feature, which only a search finds.
FEATURE_METRICS = {"LicensesUsed", "LicensesIssued"}
MEASURED = {"TokenServerLicenseCheckDocument": "check-license", "TokenServerLicenseMetrics": "true"}
TOPIC = f"arn:aws:sns:{REGION}:123456789012:token-failover-Reports"


COMPACT, WITH_BLANKS = {"separators": (",", ":"), "sort_keys": True}, {"indent": None, "separators": (", ", " : ")}


def line(outcome, reason, *findings, style=COMPACT, **more):
    """A report as a log line of the function, with either spelling of JSON."""
    report = {"outcome": outcome, "reason": reason, "summary": f"{outcome}: {reason}", "findings": findings, "move": None}
    logged = {"time": "2026-11-11T21:30:00.000Z", "level": "INFO", "type": "report", "report": report | more}
    return json.dumps(logged, **style)


def finding(code, resource, severity="critical"):
    return {"severity": severity, "code": code, "resource": resource, "message": f"{code}!", "remedy": "fix it"}


def dashboard(**parameters):
    return json.loads(deploy(**parameters).resources["Dashboard"]["DashboardBody"])


class Alarms(unittest.TestCase):
    maxDiff = None

    def alarms(self, **parameters):
        return deploy(**parameters).of_type("AWS::CloudWatch::Alarm")

    def test_each_has_one_metric_a_threshold_and_a_treatment_of_missing_data(self):
        seen = {
            name: (
                it["Namespace"], it["MetricName"], it["Statistic"], it["ComparisonOperator"], it["Threshold"],
                it["Period"], it.get("DatapointsToAlarm", it["EvaluationPeriods"]), it["TreatMissingData"],
            )
            for name, it in self.alarms().items()
        }
        below, above = "LessThanThreshold", "GreaterThanThreshold"
        messages = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", above, 0, 60, 1, "notBreaching")
        self.assertEqual(
            {
                "NoViableStandby": ("TokenFailover", "ViableStandbys", "Maximum", below, 1, 600, 1, "ignore"),
                "CriticalFinding": ("TokenFailover", "CriticalFindings", "Maximum", above, 0, 3900, 1, "ignore"),
                "FunctionFails": ("AWS/Lambda", "Errors", "Sum", above, 0, 60, 2, "notBreaching"),
                "SomethingUndelivered": messages,
                "SomethingFailed": messages,
                "NothingRan": ("AWS/Lambda", "Invocations", "Sum", below, 1, 900, 1, "breaching"),
                "NothingSeen": ("TokenFailover", "ViableStandbys", "SampleCount", below, 1, 900, 1, "breaching"),
            },
            seen,
        )

    def test_each_monitors_a_resource_of_the_stack(self):
        for parameters, server in (({}, "eni-0ddddddddddddddd1"), ({"TokenServerName": "license-eu"}, "license-eu")):
            ours = {"Name": "TokenServer", "Value": server}
            function = {"Name": "FunctionName", "Value": "token-failover-Failover"}
            self.assertEqual(
                {
                    "NoViableStandby": [ours],
                    "CriticalFinding": [ours],
                    "FunctionFails": [function],
                    "SomethingUndelivered": [{"Name": "QueueName", "Value": "token-failover-UndeliveredEvents"}],
                    "SomethingFailed": [{"Name": "QueueName", "Value": "token-failover-FailedInvocations"}],
                    "NothingRan": [function],
                    "NothingSeen": [ours],
                },
                {name: alarm["Dimensions"] for name, alarm in self.alarms(**parameters).items()},
            )

    def test_no_alarm_waits_less_than_the_slowest_schedule(self):
        # With a shorter period, an alarm would change with the schedule. An audit runs every hour, and only an audit
        # makes some of the findings.
        slowest = {"ViableStandbys": 600, "CriticalFindings": 3600, "Invocations": 600}
        for name, alarm in self.alarms().items():
            if alarm["MetricName"] in slowest:
                self.assertGreaterEqual(alarm["Period"] * alarm["EvaluationPeriods"], slowest[alarm["MetricName"]], name)

    def test_all_are_published_to_the_topic_and_those_that_can_clear_also_publish_ok(self):
        alarms = self.alarms()
        self.assertEqual({name: [TOPIC] for name in alarms}, {name: it["AlarmActions"] for name, it in alarms.items()})
        self.assertEqual(
            {"NoViableStandby", "CriticalFinding", "FunctionFails", "NothingRan", "NothingSeen"},
            {name for name, it in alarms.items() if it.get("OKActions") == [TOPIC]},
        )

    def test_an_existing_topic_receives_them(self):
        topic = "arn:aws:sns:eu-west-1:123456789012:on-call"
        self.assertEqual({(topic,)}, {tuple(it["AlarmActions"]) for it in self.alarms(NotificationTopicArn=topic).values()})

    def test_a_topic_in_another_region_receives_none_and_the_output_says_so(self):
        # CloudWatch refuses an alarm whose topic is in another Region.
        here, there = (f"arn:aws:sns:{region}:123456789012:on-call" for region in (REGION, "us-east-1"))
        for topic, watchdog, actions, told in [
            ("", "true", [TOPIC], TOPIC),
            (here, "true", [here], here),
            (here, "false", None, "none, because WatchdogAlarms is false; the dashboard shows the alarms"),
            (
                there, "true", None,
                "none, because CloudWatch publishes only to topics in its own Region; the dashboard shows the alarms",
            ),
        ]:
            stack = deploy(NotificationTopicArn=topic, WatchdogAlarms=watchdog)
            alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
            self.assertEqual([actions] * 7, [alarm.get("AlarmActions") for alarm in alarms])
            self.assertEqual(told, stack.outputs["AlarmTopic"])

    def test_a_parameter_keeps_them_from_the_topic(self):
        silent = self.alarms(WatchdogAlarms="false")
        self.assertEqual(set(self.alarms()), set(silent))
        self.assertEqual([], [name for name, it in silent.items() if {"AlarmActions", "OKActions"} & it.keys()])


class Dashboard(unittest.TestCase):
    maxDiff = None

    def widgets(self, kind, **parameters):
        return [it["properties"] for it in dashboard(**parameters)["widgets"] if it["type"] == kind]

    def query(self, title):
        [query] = [it["query"] for it in self.widgets("log") if it["title"].startswith(title)]
        return query

    def test_it_shows_every_alarm(self):
        stack = deploy()
        alarm = f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:token-failover-"
        [widget] = self.widgets("alarm")
        self.assertEqual([alarm + name for name in stack.of_type("AWS::CloudWatch::Alarm")], widget["alarms"])

    def test_it_shows_every_metric_of_the_function_and_no_other(self):
        shown = {}
        for widget in self.widgets("metric", TokenServerName="license-eu"):
            self.assertEqual(REGION, widget["region"])
            for namespace, metric, dimension, value, *_ in widget["metrics"]:
                shown.setdefault((namespace, dimension, value), set()).add(metric)
        self.assertEqual(
            {
                ("TokenFailover", "TokenServer", "license-eu"): OWN_METRICS,
                ("AWS/Lambda", "FunctionName", "token-failover-Failover"): {"Invocations", "Errors", "Throttles", "Duration"},
                ("AWS/SQS", "QueueName", "token-failover-UndeliveredEvents"): {"ApproximateNumberOfMessagesVisible"},
                ("AWS/SQS", "QueueName", "token-failover-FailedInvocations"): {"ApproximateNumberOfMessagesVisible"},
            },
            shown,
        )

    def test_no_two_widgets_overlap_and_none_leaves_the_grid_or_a_gap(self):
        for parameters in ({}, MEASURED):
            taken = set()
            for widget in dashboard(**parameters)["widgets"]:
                columns = range(widget["x"], widget["x"] + widget["width"])
                cells = {(x, y) for x in columns for y in range(widget["y"], widget["y"] + widget["height"])}
                self.assertLessEqual(max(columns), 23)
                self.assertEqual(set(), cells & taken)
                taken |= cells
            self.assertEqual(24 * (1 + max(y for _, y in taken)), len(taken), parameters)

    def test_it_shows_the_licenses_of_each_feature_only_if_they_are_measured(self):
        titles = [it["title"] for it in self.widgets("metric", TokenServerLicenseCheckDocument="check-license")]
        self.assertEqual(titles, [it["title"] for it in self.widgets("metric")])
        self.assertEqual([*titles, "Licenses in use"], [it["title"] for it in self.widgets("metric", **MEASURED)])

    def test_the_licenses_are_those_of_this_token_server(self):
        for name, searched in [
            ("", "eni-0ddddddddddddddd1"), ("license-eu", "license-eu"),
            # CloudWatch User Guide, "CloudWatch search expression syntax": an exact match escapes parentheses.
            ("MOSEK (EU) (2)", r"MOSEK \(EU\) \(2\)"),
        ]:
            *_, widget = self.widgets("metric", **MEASURED, TokenServerName=name)
            self.assertEqual((REGION, 3600), (widget["region"], widget["period"]))
            found = set()
            for [metric] in widget["metrics"]:
                self.assertLessEqual(len(metric["expression"]), 1024)
                form = r'''SEARCH\('\{TokenFailover,TokenServer,Feature\} MetricName="(\w+)" TokenServer="(.*)"', 'Maximum', 3600\)'''
                searched_metric, server = re.fullmatch(form, metric["expression"]).groups()
                self.assertEqual(searched, server)
                found.add(searched_metric)
            self.assertEqual(FEATURE_METRICS, found)

    def test_its_queries_read_our_logs(self):
        for widget in self.widgets("log"):
            self.assertEqual("token-failover-FailoverLogs", insights.run(widget["query"], [])[0])

    def test_no_pattern_depends_on_how_a_line_of_json_is_spelled(self):
        for widget in self.widgets("log"):
            self.assertNotIn(" like ", widget["query"])

    def test_it_lists_the_findings_of_the_last_audits(self):
        closed, topic = finding("port-closed", "sg-1"), finding("topic-silent", TOPIC, "warning")
        for style in (COMPACT, WITH_BLANKS):
            rows = insights.run(self.query("Findings of the hourly audits"), [
                line("audited", "findings", closed, style=style),
                line("no-action", "holder-healthy", finding("unseen", "sg-2"), style=style),
                line("audited", "findings", closed, topic, style=style),
                json.dumps({"type": "metrics", "report": {"outcome": "audited", "findings": [closed]}}, **style),
                # The name is in a string, and the line is not a report.
                json.dumps({"type": "failure", "message": line("audited", "findings", closed)}, **style),
                "START RequestId: 1",
            ])[1]
            columns = ["@timestamp", "severity", "code", "resource", "message", "remedy"]
            self.assertEqual([{"@timestamp": 2} | closed, {"@timestamp": 2} | topic], rows)
            self.assertEqual([columns, columns], [list(row) for row in rows])

    def test_it_lists_the_last_events(self):
        move = {"from": "i-0aaaaaaaaaaaaaaa1", "to": "i-0bbbbbbbbbbbbbbb2", "durationMs": 4400}
        for style in (COMPACT, WITH_BLANKS):
            rows = insights.run(self.query("Last events"), [
                line("moved", "holder-stopped", move=move, style=style),
                line("refused", "no-viable-standby", style=style),
                line("no-action", "holder-healthy", style=style),
                line("refused", "no-viable-standby", style=style),
                line("audited", "clean", style=style),
                line("paused", "pause-set", style=style),
                line("resumed", "pause-ended", style=style),
            ])[1]
            plain = {"movedFrom": None, "movedTo": None, "milliseconds": None}
            told = lambda at, outcome, reason: plain | {
                "@timestamp": at, "outcome": outcome, "reason": reason, "summary": f"{outcome}: {reason}",
            }
            self.assertEqual(
                [
                    told(6, "resumed", "pause-ended"),
                    told(5, "paused", "pause-set"),
                    {
                        "@timestamp": 3, "outcome": "refused", "reason": "no-viable-standby", "movedFrom": None,
                        "movedTo": None, "milliseconds": None, "summary": "refused: no-viable-standby",
                    },
                    {
                        "@timestamp": 0, "outcome": "moved", "reason": "holder-stopped", "movedFrom": move["from"],
                        "movedTo": move["to"], "milliseconds": 4400, "summary": "moved: holder-stopped",
                    },
                ],
                rows,
            )

    def test_it_lists_the_failures(self):
        failure = {"level": "ERROR", "type": "failure", "failure": {"errorType": "Unreachable", "message": "no answer"}}
        records = [
            {"time": "2026-11-11T21:35:00Z", "type": "platform.report", "record": {"status": status}}
            for status in ("success", "error", "failure", "timeout")
        ]
        for style in (COMPACT, WITH_BLANKS):
            success, *failed = (json.dumps(record, **style) for record in records)
            lines = [json.dumps(failure, **style), line("moved", "holder-stopped", style=style), success, *failed]
            rows = insights.run(self.query("Failures"), lines)[1]
            self.assertEqual([*reversed(failed), lines[0]], [row["@message"] for row in rows])

    def test_a_topic_without_subscriptions_is_shown_without_mail(self):
        # Without a confirmed subscription, an alarm and the list of findings show it, with a topic or without.
        for watchdog in ("true", "false"):
            stack = deploy(WatchdogAlarms=watchdog)
            [alarm] = [
                name for name, it in stack.of_type("AWS::CloudWatch::Alarm").items() if it["MetricName"] == "CriticalFindings"
            ]
            [widget] = self.widgets("alarm", WatchdogAlarms=watchdog)
            self.assertIn(f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:token-failover-{alarm}", widget["alarms"])
        silent = finding("no-subscription", TOPIC)
        rows = insights.run(self.query("Findings of the hourly audits"), [line("audited", "findings", silent)])[1]
        self.assertEqual([{"@timestamp": 0} | silent], rows)


class Patterns(unittest.TestCase):
    def test_every_pattern_over_the_log_compares_json_fields(self):
        # CloudWatch Logs User Guide, "Filter pattern syntax": in braces it compares fields, otherwise it searches for
        # words.
        patterns = {
            name: it["FilterPattern"]
            for kind in ("AWS::Logs::MetricFilter", "AWS::Logs::SubscriptionFilter")
            for name, it in deploy().of_type(kind).items()
        }
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")]:
            for number, pattern in enumerate(re.findall(r"--filter-pattern +'([^']*)'", page.read_text())):
                patterns[f"{page.name} {number}"] = pattern
        self.assertLess(5, len(patterns))
        self.assertEqual({}, {name: it for name, it in patterns.items() if not it.startswith("{ $.")})


if __name__ == "__main__":
    unittest.main()
