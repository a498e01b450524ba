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
    (2100, "the interface has to stay where it would be deleted with its instance, and nobody sets the flag"),
    (3754, "an interface that went back to its former holder is mended only by the next run"),
    (28249, "the interface is left attached to nothing, and a standby had taken it before"),
    (82281, "a detach is forced that could not be seen to hang"),
    (88652, "the next standby is asked, and nothing could be seen of the one that had said yes"),
    (102196, "an attach takes effect when its run is dead, and DeleteOnTermination stays true"),
    (109919, "a debt is forgotten on an answer that is older than it"),
    (287297, "the note of a run that is still at work is removed by another"),
    (363260, "a debt is settled on an old answer, and DeleteOnTermination stays true"),
    (321, "a debt is kept for a token server that does not run, and needs no waking"),
    (21748, "a debt is kept although the run has started the instance with the interface itself"),
    (22679, "an instance that somebody else had started counts as started by this run, and is not woken"),
    (23659, "an instance that was pending when it was seen is not woken when the interface comes back to it"),
    (1574, "what came of waking the token server is not known, and the run that publishes instead does not tell"),
    (98713, "the time is over before a token server is woken, and nobody is told"),
    (94226, "a run dies after it has noted that it wakes the token server and before it does, and nobody is told"),
    (50191385, "the former holder was read before the interface came back to it, and nobody wakes it"),
    (
        168,
        "a detach hangs for good, every run ends in the middle of its move, and nobody is told that the pause is over",
    ),
    (54879, "a start whose answer was lost counts as this run's, and an instance that ran already is not woken"),
    (53639, "a pause that is written once more by a late call was told before"),
    (41567, "the time is over, and one answer that the interface does not exist is believed"),
    (846, "an interface goes back and forth between two members that cannot be started"),
    (2767, "what completes a move is refused because the move was counted"),
    (
        126459,
        "a slow attach brings the interface back to a stopped holder, and every run tries the standby that refused it",
    ),
    (179589185180134, "an attach is asked for again, and the interface was not seen since it was said not to exist"),
];
