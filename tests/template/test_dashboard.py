"""Alarms and dashboard: they look at what the function measures and logs, and say it to the right people."""

import json
import unittest

import insights
from deployment import REGION, deploy

OWN_METRICS = {
    "Moves", "MoveDuration", "FailedMoves", "Refusals", "ViableStandbys", "CriticalFindings", "EventAge", "Paused",
}
TOPIC = f"arn:aws:sns:{REGION}:123456789012:token-failover-Reports"


def line(outcome, reason, *findings, **more):
    """A report, as the function logs it."""
    report = {"outcome": outcome, "reason": reason, "summary": f"{outcome}: {reason}", "findings": findings, "move": None}
    logged = {"time": "2026-11-11T21:30:00.000Z", "level": "INFO", "type": "report", "report": report | more}
    return json.dumps(logged, separators=(",", ":"), sort_keys=True)


def finding(code, resource, severity="critical"):
    return {"severity": severity, "code": code, "resource": resource, "message": f"{code}!", "remedy": "mend it"}


def dashboard(**parameters):
    return json.loads(deploy(**parameters).resources["Dashboard"]["DashboardBody"])


class Alarms(unittest.TestCase):
    maxDiff = None

    def alarms(self, **parameters):
        return deploy(**parameters).of_type("AWS::CloudWatch::Alarm")

    def test_each_looks_at_one_metric_with_a_threshold_and_knows_what_silence_means(self):
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

    def test_each_looks_at_our_own_resources(self):
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
        # Otherwise it would come and go with the schedule. An audit is every hour, and only it makes some findings.
        slowest = {"ViableStandbys": 600, "CriticalFindings": 3600, "Invocations": 600}
        for name, alarm in self.alarms().items():
            if alarm["MetricName"] in slowest:
                self.assertGreaterEqual(alarm["Period"] * alarm["EvaluationPeriods"], slowest[alarm["MetricName"]], name)

    def test_all_go_to_the_topic_and_those_that_can_end_by_themselves_say_so(self):
        alarms = self.alarms()
        self.assertEqual({name: [TOPIC] for name in alarms}, {name: it["AlarmActions"] for name, it in alarms.items()})
        self.assertEqual(
            {"NoViableStandby", "CriticalFinding", "FunctionFails", "NothingRan", "NothingSeen"},
            {name for name, it in alarms.items() if it.get("OKActions") == [TOPIC]},
        )

    def test_a_topic_of_ones_own_gets_them_too(self):
        topic = "arn:aws:sns:eu-west-1:123456789012:on-call"
        self.assertEqual({(topic,)}, {tuple(it["AlarmActions"]) for it in self.alarms(NotificationTopicArn=topic).values()})

    def test_they_can_be_kept_from_the_topic(self):
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

    def test_no_two_widgets_overlap_and_none_leaves_the_grid(self):
        taken = set()
        for widget in dashboard()["widgets"]:
            columns = range(widget["x"], widget["x"] + widget["width"])
            cells = {(x, y) for x in columns for y in range(widget["y"], widget["y"] + widget["height"])}
            self.assertLessEqual(max(columns), 23)
            self.assertEqual(set(), cells & taken)
            taken |= cells

    def test_its_queries_read_our_logs(self):
        for widget in self.widgets("log"):
            self.assertEqual("token-failover-FailoverLogs", insights.run(widget["query"], [])[0])

    def test_it_lists_what_the_audits_found_last(self):
        closed, topic = finding("port-closed", "sg-1"), finding("topic-silent", TOPIC, "warning")
        rows = insights.run(self.query("What the audits found"), [
            line("audited", "findings", closed),
            line("no-action", "holder-healthy", finding("unseen", "sg-2")),
            line("audited", "findings", closed, topic),
            "START RequestId: 1",
        ])[1]
        columns = ["@timestamp", "severity", "code", "resource", "message", "remedy"]
        self.assertEqual([{"@timestamp": 2} | closed, {"@timestamp": 2} | topic], rows)
        self.assertEqual([columns, columns], [list(row) for row in rows])

    def test_it_lists_what_happened_last(self):
        move = {"from": "i-0aaaaaaaaaaaaaaa1", "to": "i-0bbbbbbbbbbbbbbb2", "durationMs": 4400}
        rows = insights.run(self.query("What happened last"), [
            line("moved", "holder-stopped", move=move),
            line("refused", "no-viable-standby"),
            line("no-action", "holder-healthy"),
            line("refused", "no-viable-standby"),
            line("audited", "clean"),
            line("paused", "pause-set"),
            line("resumed", "pause-ended"),
        ])[1]
        plain = {"movedFrom": None, "movedTo": None, "milliseconds": None}
        self.assertEqual(
            [
                plain | {"@timestamp": 6, "outcome": "resumed", "reason": "pause-ended", "summary": "resumed: pause-ended"},
                plain | {"@timestamp": 5, "outcome": "paused", "reason": "pause-set", "summary": "paused: pause-set"},
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

    def test_it_lists_what_failed(self):
        failure = '{"level":"ERROR","type":"failure","failure":{"errorType":"Unreachable","message":"no answer"}}'
        timeout = '{"time":"2026-11-11T21:35:00Z","type":"platform.report","record":{"status":"timeout"}}'
        success = '{"time":"2026-11-11T21:36:00Z","type":"platform.report","record":{"status":"success"}}'
        rows = insights.run(self.query("What failed"), [failure, line("moved", "holder-stopped"), timeout, success])[1]
        self.assertEqual([timeout, failure], [row["@message"] for row in rows])


if __name__ == "__main__":
    unittest.main()
