//! sync-store-sqlite
