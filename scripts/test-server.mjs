import { startEphemeralServer } from './embedded-postgres.mjs';

/**
 * Of a server that is gone with its tests. A crash of the operating system would lose its data: the death of its
 * processes, which tests cause, doesn't, since what they wrote is the system's by then.
 */
export const testSettings = {
  max_connections: 200,
  fsync: 'off',
  full_page_writes: 'off',
  checkpoint_timeout: '1h',
  max_wal_size: '2GB',
  jit: 'off',
};

/** The server of `npm test`, with the PostgreSQL that the project brings. */
export function startTestServer() {
  // Tests connect thousands of times. The exchange of SCRAM takes driver and server longer than all else of a connection, so
  // it is left to the logins that tests make, and each of those repeats the hash of its password but once.
  // Every schema is a hundred files, which a disk's file system makes and removes for half as much again.
  return startEphemeralServer({
    settings: { ...testSettings, scram_iterations: 1 },
    inMemory: true,
    trusted: true,
  });
}
