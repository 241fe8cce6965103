import { setTimeout as delay } from 'node:timers/promises';
import type { RunQueue } from '../engine/run-queue.js';
import { loginKey } from '../store/connection-config.js';
import { LoginEngine, type LoginSettings } from './login-engine.js';

/** How long closing a login is waited for, in milliseconds; a handler that ignores its signal may hold a connection. */
const CLOSE_PATIENCE_MS = 5_000;

/** The same while the database is away: nothing of it can be said goodbye to. */
const AWAY_PATIENCE_MS = 100;

/** The logins of one process: opened for the first tenant on each, closed when its last one goes. */
export class Logins {
  private readonly open = new Map<string, { readonly login: LoginEngine; users: number }>();

  constructor(private readonly slots: RunQueue) {}

  /** The login's engine, which stays until {@link release} was called as often. */
  acquire(settings: LoginSettings): LoginEngine {
    const key = loginKey(settings);
    const known = this.open.get(key);
    if (known !== undefined) {
      known.users++;
      known.login.pools.grow(settings.poolSize);
      return known.login;
    }
    const login = new LoginEngine(settings, this.slots);
    this.open.set(key, { login, users: 1 });
    return login;
  }

  /** Closes the pools and the control connection when nobody uses them any more. */
  async release(login: LoginEngine): Promise<void> {
    for (const [key, entry] of this.open) {
      if (entry.login !== login) continue;
      if (--entry.users > 0) return;
      this.open.delete(key);
      await closeInTime(login);
    }
  }

  list(): LoginEngine[] {
    return [...this.open.values()].map(({ login }) => login);
  }

  async close(): Promise<void> {
    const logins = this.list();
    this.open.clear();
    await Promise.all(logins.map(closeInTime));
  }
}

/** A handler that ignores its signal may hold a connection for ever; the pool would wait for it. */
async function closeInTime(login: LoginEngine): Promise<void> {
  const patience = new AbortController();
  await Promise.race([
    login.close().catch(() => undefined),
    delay(login.isAway ? AWAY_PATIENCE_MS : CLOSE_PATIENCE_MS, undefined, {
      signal: patience.signal,
    }).catch(() => undefined),
  ]);
  patience.abort();
}
