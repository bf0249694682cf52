//! Ways to be wrong, each of which the model finds.

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    // The store.
    ReleasesWithoutAskingWhose,
    ReleasesTwice,
    ForgetsToHandOn,
    GrantsWithoutProbation,
    GrantsARepeatedQuestionAgain,
    HandsToTheDead,
    BelievesTheClientsClock,
    NeverReaps,
    SkipsTheGrace,
    RenewsWhatHasEnded,
    TakesAHoldersWordPastOthers,
    ServesTheLast,
    IgnoresTheLine,
    LightPastHeavy,
    CountsHoldersNotWeights,
    ForgetsItsTokens,
    AnswersForOthers,
    AnswersWithProbation,
    // The client.
    CountsFromTheReply,
    IgnoresWhatIsHanded,
    ForgetsToLook,
    StartsOnTheHint,
    NeverDoubts,
}

impl Mutant {
    pub(crate) const ALL: [Self; 23] = [
        Self::ReleasesWithoutAskingWhose,
        Self::ReleasesTwice,
        Self::ForgetsToHandOn,
        Self::GrantsWithoutProbation,
        Self::GrantsARepeatedQuestionAgain,
        Self::HandsToTheDead,
        Self::BelievesTheClientsClock,
        Self::NeverReaps,
        Self::SkipsTheGrace,
        Self::RenewsWhatHasEnded,
        Self::TakesAHoldersWordPastOthers,
        Self::ServesTheLast,
        Self::IgnoresTheLine,
        Self::LightPastHeavy,
        Self::CountsHoldersNotWeights,
        Self::ForgetsItsTokens,
        Self::AnswersForOthers,
        Self::AnswersWithProbation,
        Self::CountsFromTheReply,
        Self::IgnoresWhatIsHanded,
        Self::ForgetsToLook,
        Self::StartsOnTheHint,
        Self::NeverDoubts,
    ];
}
