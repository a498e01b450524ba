//! Seeds that have broken a law once. They are played first.
//!
//! A seed means a world only as long as what is drawn from it stays the same: whoever changes `drama` plays a soak again,
//! and writes down what it finds.

/// The seeds, each with what it found.
pub(crate) const FAILED_ONCE: &[(u64, &str)] = &[
    (544, "a mail says that the interface moved to where it never was: a debt noted on an old answer"),
    (722, "DeleteOnTermination stays true: setting it failed, and the repair is not allowed"),
    (1445, "a note of repairs survives the run that moved the interface"),
    (2170, "an older debt of the same move survives the run that ended it"),
    (2760, "a mail says that the interface moved to where it never was, after a lost answer"),
    (6905, "the interface is gone, and a run asks to attach it for a minute and a half"),
    (7039, "DeleteOnTermination stays true"),
    (8813, "a run takes its own attachment, seen late, for that of another run, and tells nobody that it failed"),
    (14380, "an owed report is dropped because a person has moved the interface on"),
    (15335, "two debts that could not be removed make a move that was none"),
];
