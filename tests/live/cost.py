"""What a run costs, from what it makes. Nothing here makes a call."""

import math
from dataclasses import dataclass
from decimal import Decimal

HOURS_A_MONTH = 730
# The price lists of us-east-1, in US dollars, without the free tier. Other Regions differ: few cost more than half as much again.
PRICES_OF = "2026"
REGION_OF_PRICES = "us-east-1"


@dataclass(frozen=True)
class Item:
    """Something that AWS charges by the hour, from its creation to its deletion."""

    what: str
    count: int
    dollars_an_hour: Decimal
    source: str

    def cents(self, hours):
        return 100 * self.count * self.dollars_an_hour * hours


def monthly(dollars):
    return Decimal(dollars) / HOURS_A_MONTH


CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"

# What the three stacks have, as test_parts.py checks.
ITEMS = (
    Item("t3.micro instances", 2, Decimal("0.0104"), "https://aws.amazon.com/ec2/pricing/on-demand/"),
    # The image of Amazon Linux 2023 has a volume of 8 GiB.
    Item("gp3 volumes of 8 GiB", 2, monthly("0.08") * 8, "https://aws.amazon.com/ebs/pricing/"),
    Item("public IPv4 address (the Elastic IP)", 1, Decimal("0.005"), "https://aws.amazon.com/vpc/pricing/"),
    Item("interface endpoints in one zone", 3, Decimal("0.01"), "https://aws.amazon.com/privatelink/pricing/"),
    Item("KMS key", 1, monthly("1"), "https://aws.amazon.com/kms/pricing/"),
    # Seven of the function's stack, and one that the run makes.
    Item("alarms", 8, monthly("0.10"), CLOUDWATCH),
    Item("metrics", 8, monthly("0.30"), CLOUDWATCH),
    Item("dashboard", 1, monthly("3"), CLOUDWATCH),
)
# Lambda, SNS, SQS, S3, the log and the data through the endpoints: megabytes, and hundreds of requests.
REQUESTS_CENTS = Decimal(1)


def cents(minutes):
    """The cost of a run that takes this long, in US cents, rounded up. Every hour that has begun counts: AWS charges endpoints
    that way, and most of the rest by the second."""
    hours = math.ceil(Decimal(minutes) / 60)
    return math.ceil(sum(item.cents(hours) for item in ITEMS) + REQUESTS_CENTS)


def sentence(minutes, account, region):
    """What a person must know before the run makes anything."""
    made = ", ".join(f"{item.count} {item.what}" for item in ITEMS)
    return (
        f"This run costs about {cents(minutes)} US cents. In account {account}, Region {region}, it makes {made}, a function, "
        f"and what belongs to them, and removes everything again after about {minutes} minutes. The prices are those of "
        f"{REGION_OF_PRICES} of {PRICES_OF}, without the free tier; other Regions differ. If something stays, it goes on costing "
        f"up to {cents(60) - math.floor(REQUESTS_CENTS)} cents an hour."
    )


def table():
    """The items, one a line, for the documentation."""
    lines = ["| what | US cents an hour | price list |", "|---|---|---|"]
    lines += [f"| {it.count} {it.what} | {it.cents(1):.2f} | <{it.source}> |" for it in ITEMS]
    return "\n".join(lines)
