//! Where the bytes of a memory lie.

/// Bytes of a fixed length: memory, or a file that is mapped into it.
pub trait Region: Send + Sync {
    /// All of them.
    fn as_bytes(&self) -> &[u8];

    /// All of them, to be written.
    fn as_bytes_mut(&mut self) -> &mut [u8];
}

impl Region for Vec<u8> {
    fn as_bytes(&self) -> &[u8] {
        self
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}
