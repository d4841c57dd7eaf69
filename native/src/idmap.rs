//! Ids of containers in a user namespace, as root has them: those of an image, 0 to 2^31 - 1, are these on the machine. Nothing that runs there
//! is the machine's root or any user of it.

/// What the image's root is. The range ends below 2^32 - 1, which is no id, and begins where the ids of users end.
pub const FIRST: u32 = 0x7FFF_FFFF;
/// As many as an image may use: USER takes no higher one either.
pub const COUNT: u32 = 0x8000_0000;

/// Whether an id of the machine is one of a container's.
pub fn is_mapped(id: u32) -> bool {
    (FIRST..=FIRST + (COUNT - 1)).contains(&id)
}
