import type { GroupSession } from '../tenants/hosting/storage-override.js';
import { SERVER_CLOCK } from '../store/postgres/statements/sql-clock.js';
import { MemoryDatabase, MemorySession, MemoryStore } from '../testing/memory-store/index.js';
import type { Clock } from '../runtime/clock.js';
import { includeThisInstant } from './include-this-instant.js';
import type { ProcessLife } from './process-life.js';
import type { AddedWorkflows, ProcessStorage, TestStorage } from './test-storage.js';
import { watched } from './watched.js';

/** The backend that sends notifications. */
const SENDER = 1;

/** The server of a memory database has no connections and no encoding. */
class TestMemorySession extends MemorySession implements GroupSession {
  async usableConnections(): Promise<undefined> {
    return undefined;
  }

  async encoding(): Promise<undefined> {
    return undefined;
  }
}

/** A database in memory for one test. */
export class MemoryStorage implements TestStorage {
  /** Not used: there is no SQL. */
  readonly sqlClock = SERVER_CLOCK;
  private readonly database: MemoryDatabase;

  constructor(
    clock: Clock,
    private readonly workflows: AddedWorkflows,
  ) {
    this.database = new MemoryDatabase(clock);
  }

  async prepare(): Promise<void> {
    // Tables are created by their first use.
  }

  of(life: ProcessLife): ProcessStorage {
    const { database, workflows } = this;
    const ends: (() => unknown)[] = [];
    return {
      isDatabase: false,
      openSession: async (_, onPayload) => {
        const session = new TestMemorySession(database);
        const unlisten = database.listen((payload) => {
          if (!life.isDead) onPayload(payload, SENDER);
        });
        ends.push(() => session.close(), unlisten);
        return watched(session, life);
      },
      storeOf: (schema) => watched(includeThisInstant(new MemoryStore(database, schema)), life),
      builtIns: (ofLibrary) => workflows.withThem(ofLibrary),
      cut: async () => {
        await Promise.all(ends.map((end) => end()));
      },
    };
  }

  async setTime(): Promise<void> {
    // The database has its time from the clock.
  }

  async close(): Promise<void> {
    // The garbage collector takes it.
  }
}
