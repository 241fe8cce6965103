export { MemoryDatabase } from './memory-database.js';
export { MemoryFailure } from './memory-failure.js';
export { MemorySession } from './memory-session.js';
export { MemoryStore } from './memory-store.js';
export { MemoryTransaction } from './memory-transaction.js';
