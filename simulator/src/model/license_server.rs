//! License servers: lmgrd with its vendor daemon, and the vendor's tool that asks them.

/// What the license server on an instance serves, once it runs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LicenseService {
    /// Two features.
    #[default]
    Serves,
    /// lmgrd runs, and its vendor daemon has ended with this FlexNet error, such as -97 or -9.
    VendorDown(i32),
    /// The daemons run, and the vendor daemon has rejected all features.
    WithoutFeatures,
    /// The vendor daemon has rejected the second feature.
    OneFeatureRejected,
    /// The vendor daemon has rejected both features.
    AllFeaturesRejected,
    /// So many features that their list is longer than Systems Manager keeps.
    ManyFeatures,
}

/// The tool lmutil on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lmutil {
    #[default]
    Installed,
    /// There is no such program, or it has no loader.
    Missing,
    /// The user that runs the command may not run it.
    NotExecutable,
    /// It is another program, which prints something else.
    Other,
}
