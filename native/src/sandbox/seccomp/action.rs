//! What a filter may answer, and on what conditions: plain data between what decides (policy.rs, profile.rs) and what writes programs (emit.rs).

const EPERM: u16 = libc::EPERM as u16;
const ENOSYS: u16 = libc::ENOSYS as u16;

/// What happens to a system call. Source: seccomp(2), `SECCOMP_RET_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Allow,
    /// It is not made, and gives this error; 0 is success.
    Errno(u16),
    /// A tracer decides, and is told this number; without one it is ENOSYS.
    Trace(u16),
    Log,
    /// A listener answers.
    Notify,
    /// SIGSYS, which the program may handle.
    Trap,
    KillThread,
    KillProcess,
}

impl Action {
    pub const DENY: Self = Self::Errno(EPERM);
    /// As an older kernel would say: the C library then takes another call.
    pub const MISSING: Self = Self::Errno(ENOSYS);

    /// As the kernel has it.
    pub fn value(self) -> u32 {
        match self {
            Self::Allow => 0x7FFF_0000,
            Self::Errno(error) => 0x0005_0000 | u32::from(error),
            Self::Trace(message) => 0x7FF0_0000 | u32::from(message),
            Self::Log => 0x7FFC_0000,
            Self::Notify => 0x7FC0_0000,
            Self::Trap => 0x0003_0000,
            Self::KillThread => 0,
            Self::KillProcess => 0x8000_0000,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    AtLeast,
    Above,
}

/// A comparison of one argument, unsigned: `argument & mask <operator> value`, or its contrary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// 0..=5.
    pub argument: u8,
    pub mask: u64,
    pub operator: Operator,
    pub value: u64,
    pub negated: bool,
}

impl Condition {
    pub fn equal(argument: u8, value: u64) -> Self {
        Self {
            argument,
            mask: u64::MAX,
            operator: Operator::Equal,
            value,
            negated: false,
        }
    }

    /// The contrary.
    pub fn not(self) -> Self {
        Self {
            negated: !self.negated,
            ..self
        }
    }

    /// On the lower half only: all that there is of an argument on a machine of 32 bits, and all that the kernel takes of an `int`.
    pub fn narrow(self) -> Self {
        let half = u64::from(u32::MAX);
        Self {
            mask: self.mask & half,
            value: self.value & half,
            ..self
        }
    }
}

/// An action that is taken where all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub conditions: Vec<Condition>,
    pub action: Action,
}

/// What is answered to one system call: by the first rule that fits, else as `otherwise` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub rules: Vec<Rule>,
    pub otherwise: Action,
}

impl From<Action> for Decision {
    fn from(otherwise: Action) -> Self {
        Self {
            rules: Vec::new(),
            otherwise,
        }
    }
}

impl Decision {
    /// The same for arguments of 32 bits.
    pub fn narrow(self) -> Self {
        let narrow = |rule: Rule| Rule {
            conditions: rule.conditions.into_iter().map(Condition::narrow).collect(),
            ..rule
        };
        Self {
            rules: self.rules.into_iter().map(narrow).collect(),
            ..self
        }
    }
}
