//! Seeds that once broke a law. Every test run plays them.
//!
//! A change in `scenario` gives the seeds other worlds. After such a change, play a long run and add the seeds that
//! break a law.

/// The seeds, each with the fault that it found.
pub(crate) const FAILED_ONCE: &[(u64, &str)] = &[
    (
        544,
        "a mail says that the interface moved to an instance where it never was: the pending report rested on an old answer",
    ),
    (722, "DeleteOnTermination stays true: the call failed, and the repair is not allowed"),
    (1445, "the note of a repair survives the run that moved the interface"),
    (2170, "an older pending report of the same move survives the run that completed it"),
    (2760, "after a lost answer, a mail says that the interface moved to an instance where it never was"),
    (6905, "the interface is gone, and a run asks to attach it for a minute and a half"),
    (7039, "DeleteOnTermination stays true"),
    (8813, "a run sees its own attachment late, takes it for another run's, and does not report its failure"),
    (14380, "a pending report is dropped because an operator has moved the interface on"),
    (15335, "two pending reports that could not be removed look like a move that never happened"),
    (
        2100,
        "the interface must stay where it would be deleted with its instance, and no run sets DeleteOnTermination to false",
    ),
    (3754, "only the next run repairs an interface that went back to its former holder"),
    (28249, "the interface is left attached to nothing although a standby had accepted it before"),
    (82281, "a detach is forced although no read has shown that it hangs"),
    (88652, "the next standby is tried although no read has shown what became of the first one, which had accepted"),
    (102196, "an attach takes effect after its run has died, and DeleteOnTermination stays true"),
    (109919, "a pending report is removed on an answer that is older than the report"),
    (287297, "a run removes the note of another run that is still active"),
    (363260, "a pending report is removed on an old answer, and DeleteOnTermination stays true"),
    (321, "a pending report is kept for a token server that does not run and needs no activation"),
    (21748, "a pending report is kept although the run itself started the instance with the interface"),
    (22679, "an instance that an operator started counts as started by this run, and is not activated"),
    (23659, "an instance that was pending when it was read is not activated when the interface comes back to it"),
    (1574, "the result of the activation is unknown, and the run that publishes instead does not say so"),
    (98713, "the time is over before a token server is activated, and no report says so"),
    (94226, "a run dies between noting the activation and making it, and no report says so"),
    (50191385, "the former holder was read before the interface came back to it, and is not activated"),
    (168, "a detach hangs for good, every run times out during its move, and the end of the pause is not mailed"),
    (
        54879,
        "a start whose answer was lost counts as this run's, and an instance that was already running is not activated",
    ),
    (53639, "a late call writes a pause again that has been mailed already"),
    (41567, "when the time is over, a single answer that the interface does not exist is believed"),
    (846, "an interface goes back and forth between two members that cannot be started"),
    (2767, "the attach that completes a move is refused because the move was counted"),
    (
        126459,
        "a slow attach brings the interface back to a stopped holder, and every run tries the standby that refused it",
    ),
    (
        179589185108673,
        "three wrong answers with failed reads between them are enough to report the interface as missing",
    ),
    (179589185548457, "no fault: a token server is activated where a denied detach has left the interface"),
    (
        179589185180134,
        "an attach is made again although no read has found the interface since EC2 said that it does not exist",
    ),
    (
        179589185162595,
        "the first stopped standby could not be started before, and the next one, which could be, is not tried",
    ),
    (179589443218345, "no fault: an attach to a non-member takes long, and the function need not wait for it"),
    (
        179589363234637,
        "no fault: an attach takes longer than the last run, so the pending report is for the run after the arrival",
    ),
    (179589363221952, "an instance that could not be started gives the interface up on an old answer"),
    (
        179589443298124,
        "a start is denied for an instance that has started meanwhile, and the token server is not activated",
    ),
    (179589363256329, "a start that the role may not make counts as one for which there was no capacity"),
    (179589499092037, "a token server is activated on the member that the interface is leaving"),
    (179589499201468, "a token server is activated on a member from which an operator detaches the interface"),
    (179589499256390, "no fault: a run reads the interface at the moment at which a pause is set"),
    (179589499208582, "no fault: a mail that goes out after its run has ended comes between two others"),
    (
        179589794417279,
        "the interface is taken from a standby that could not be started, and given back to the same standby",
    ),
    (179589794710626, "a move is reported on an answer without the holder, and the token server is not activated"),
    (179589794784119, "no fault: an attach takes effect after its run has ended, and no run knows of it"),
    (179589794583661, "no fault: the next run reports a move that was completed after the last read"),
    (179589185215601, "a reported note settles another run's note of the same move, which was not reported"),
    (179589342546642, "the report of a refused move settles the note of another run, which had moved the interface"),
    (
        179590026533276,
        "two members that cannot be started use up the limit on moves every hour, and the third is never tried",
    ),
    (
        179590505201470,
        "a run that has started a former holder in place settles the move of another run, and nobody activates its target",
    ),
    (179590505274201, "a process trusts its own memory of a mail more than the tag that another process wrote later"),
    (179590505578112, "no fault: with two moves an hour, the fourth member gets its turn in the second hour"),
    (179590505491191, "no fault: an attach takes longer than the last run"),
    (179590505673380, "no fault: another standby comes up while EC2 attaches slowly, and the next run moves on to it"),
    (179590505674519, "no fault: the same"),
];
