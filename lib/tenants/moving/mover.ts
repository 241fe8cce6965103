import type pg from 'pg';
import { untraced } from '../../runtime/untraced.js';
import { carryChanges, copyTable, type Carrier } from './carry-changes.js';
import { carryOrphans } from './carry-orphans.js';
import { carryRights } from './carry-rights.js';
import { drainAndFence } from './drain.js';
import type { MoveSide } from './move-side.js';
import {
  beginArriving,
  beginCopying,
  beginStopping,
  makeLive,
  markMoved,
  readTenantRow,
} from './move-state.js';
import type { Move } from './move-transaction.js';
import { readMovedTables, type MovedTable } from './moved-tables.js';
import { ProgressReport } from './progress-report.js';
import { compareCatalogs, readCatalog, type CatalogObject } from './schema-catalog.js';
import { carrySequences } from './sequences.js';
import { inSnapshot, tooManyChanges, type SourceSnapshot } from './snapshot.js';
import {
  copyTenantName,
  refreshViews,
  resumeRules,
  suspendRules,
  type Suspended,
  validateForeignKeys,
} from './target-schema.js';
import { FENCE_TRIGGER } from './write-fence.js';

/** Tables that are copied at a time. More would only share the same cores of the servers. */
const AT_ONCE = 2;
/** How long after the stop other processes undo it, if the mover is gone, in milliseconds. While it lives, it holds a lock. */
const STOP_DEADLINE_MS = 5_000;
/** Changes are copied again before the stop if the last time took longer, in milliseconds: that is how long the stop would take. */
const SOON_MS = 500;
/** Maximum number of times. */
const MAX_ROUNDS = 5;
/** On a busy source, each time takes about as long as the one before. Then one more gains nothing. */
const GAIN = 0.7;

/** How long the tenant may stand still, beyond the wait for its tasks, in milliseconds. Then the move is undone. */
const STOP_BOUND_MS = 5 * 60_000;

/** The tenant is not stopped if the changes since the last copy took longer to copy, in milliseconds. */
const MAX_ROUND_MS = 30_000;

/** What a move has carried. */
export interface Carried {
  readonly rows: number;
  readonly stoppedMs: number;
}

/** What the mover has made while the tenant worked. */
interface Copied {
  readonly carriers: readonly Carrier[];
  readonly tables: readonly MovedTable[];
  /** The snapshot of the last copy. */
  readonly since: SourceSnapshot;
  readonly suspended: Suspended;
  readonly target: pg.Client;
}

/** The move could not be made because another process has changed its state. */
class MoveOvertaken extends Error {}

/** The mover has closed its connections, so that the tenant does not stand still any longer. */
class StoppedTooLong extends Error {
  constructor(afterMs: number, options: ErrorOptions) {
    super(
      `the tenant was stopped for more than ${Math.round(afterMs / 1000)} s; a server does not answer, or the last changes are ` +
        'too many',
      options,
    );
  }
}

/**
 * Carries a tenant over, once its schema is made on the target. The states of both sides are those of `cloacina_tenant`:
 *
 * - source live → copying → stopping → moved; target arriving → live
 * - up to `moved`, the move can be undone: the source becomes live, and the target is dropped
 * - from `moved` on, it can only be finished: the target becomes live
 *
 * So at most one side is live at any time, wherever it ends.
 */
export class Mover {
  private rows = 0;
  private stoppedAt = 0;
  private isLate = false;
  /** Whether the source has, or may have, given the tenant away. */
  mayHaveSwitched = false;

  constructor(
    private readonly parts: {
      readonly from: MoveSide;
      readonly to: MoveSide;
      /** Holds the lock of the move. */
      readonly control: pg.Client;
      readonly schema: string;
      /** The tenant's own login, if it has one. */
      readonly login?: string | undefined;
      /** The catalog of the source with which the target was compared. */
      readonly catalog: readonly CatalogObject[];
      readonly moveId: string;
      readonly drainMs: number;
      /** See {@link STOP_BOUND_MS}. */
      readonly stopBoundMs?: number | undefined;
      /** See {@link MAX_ROUND_MS}. */
      readonly maxRoundMs?: number | undefined;
      readonly progress: ProgressReport;
    },
  ) {}

  run(): Promise<Carried> {
    return untraced(() => this.carry());
  }

  /** What it has carried so far. */
  get carried(): Carried {
    const stoppedMs = this.stoppedAt === 0 ? 0 : performance.now() - this.stoppedAt;
    return { rows: this.rows, stoppedMs };
  }

  private async carry(): Promise<Carried> {
    const { from, to, control, progress, schema } = this.parts;
    const target = await to.connect();
    await passed(beginArriving(target, this.onTarget));
    const suspended = await suspendRules(target, this.onTarget, FENCE_TRIGGER);
    const tables = await readMovedTables(control, schema);
    progress.known(tables);
    const carriers: Carrier[] = [];
    for (let n = 0; n < AT_ONCE; n++) {
      carriers.push({
        source: await from.connect(),
        target: await to.connect(),
        onBytes: (bytes) => progress.sent(bytes),
      });
    }
    await passed(beginCopying(control, this.onSource));

    progress.enter('copying');
    let since = await this.inSnapshot(carriers, tables, async () => {
      await this.withAll(carriers, tables, copyTable, () => progress.tableDone());
    });
    for (const { path } of tables) await target.query(`ANALYZE ${path}`);

    progress.enter('catchingUp');
    let lastMs = Infinity;
    let tookMs = 0;
    for (let round = 1; round <= MAX_ROUNDS; round++) {
      const began = performance.now();
      const before = since;
      since = await this.inSnapshot(carriers, tables, async () => {
        const withKey = tables.filter(({ key }) => key.length > 0);
        await this.withAll(carriers, withKey, (carrier, table) =>
          carryChanges(carrier, table, before),
        );
      });
      tookMs = performance.now() - began;
      if (tookMs <= SOON_MS || tookMs > lastMs * GAIN) break;
      lastMs = tookMs;
    }
    // The stop takes as long as the last round.
    if (tookMs > (this.parts.maxRoundMs ?? MAX_ROUND_MS))
      throw await tooManyChanges(control, tookMs);

    await this.inTime(() => this.giveAway({ carriers, tables, since, suspended, target }));
    const { carried } = this;
    progress.enter('validating');
    await validateForeignKeys(control, target, schema);
    return carried;
  }

  /** Runs `work`, and closes all connections if it takes too long: a server that is silent would keep the tenant stopped. */
  private async inTime(work: () => Promise<void>): Promise<void> {
    const { from, to, drainMs, stopBoundMs = STOP_BOUND_MS } = this.parts;
    const ms = drainMs + stopBoundMs;
    const timer = setTimeout(() => {
      this.isLate = true;
      from.close();
      to.close();
    }, ms);
    try {
      await work();
    } catch (error) {
      throw this.isLate ? new StoppedTooLong(ms, { cause: error }) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops the tenant, carries the last changes over, and switches. */
  private async giveAway({ carriers, tables, since, suspended, target }: Copied): Promise<void> {
    const { control, progress, drainMs, schema, login, moveId } = this.parts;
    await passed(beginStopping(control, this.onSource, STOP_DEADLINE_MS));
    this.stoppedAt = performance.now();
    progress.enter('stopping');
    await drainAndFence(control, this.onSource, drainMs);

    progress.enter('carrying');
    await this.inSnapshot(carriers, tables, async () => {
      await this.withAll(carriers, tables, (carrier, table) => carryChanges(carrier, table, since));
      const [first] = carriers;
      if (first !== undefined) await carryOrphans(first.source, first.target, schema);
    });
    await carrySequences(control, target, schema);
    await copyTenantName(control, target, schema);
    await refreshViews(control, target, schema);
    await resumeRules(target, this.onTarget, suspended);
    // The last: the mover may have fewer rights then.
    await carryRights({ source: control, target, schema, login }, moveId);
    await this.assertUnchanged();

    this.mayHaveSwitched = true;
    await passed(markMoved(control, this.onSource));
    progress.enter('switching');
    await passed(makeLive(target, this.onTarget));
  }

  /** Works through the tables with all connections, and returns what the snapshot was. */
  private inSnapshot(
    carriers: readonly Carrier[],
    tables: readonly MovedTable[],
    work: () => Promise<void>,
  ): Promise<SourceSnapshot> {
    const sources = carriers.map(({ source }) => source);
    const paths = tables.map(({ path }) => path);
    return inSnapshot(sources, paths, async (snapshot) => {
      await work();
      return snapshot;
    });
  }

  private async withAll(
    carriers: readonly Carrier[],
    tables: readonly MovedTable[],
    work: (carrier: Carrier, table: MovedTable) => Promise<number>,
    onDone?: () => void,
  ): Promise<void> {
    const queue = tables.values();
    await Promise.all(
      carriers.map(async (carrier) => {
        for (const table of queue) {
          const rows = await work(carrier, table);
          // Not in one statement with the wait: the other worker would be overwritten.
          this.rows += rows;
          onDone?.();
        }
      }),
    );
  }

  /** A migration that ran since the comparison with the target has changed the source only. */
  private async assertUnchanged(): Promise<void> {
    const { control, schema, catalog } = this.parts;
    const now = await readCatalog(control, schema);
    const [changed] = compareCatalogs(now, catalog, true);
    if (changed !== undefined)
      throw new Error('the schema was changed during the move, such as by a migration');
  }

  /** The move as the source knows it. */
  private get onSource(): Move {
    const { schema, moveId, to } = this.parts;
    return { schema, moveId, peer: to.server };
  }

  private get onTarget(): Move {
    const { schema, moveId, from } = this.parts;
    return { schema, moveId, peer: from.server };
  }
}

async function passed(change: Promise<boolean>): Promise<void> {
  if (!(await change)) throw new MoveOvertaken('another process has undone or changed the move');
}

/** Whether the source of a move has given the tenant away. */
export async function hasMoved(client: pg.ClientBase, { schema, moveId }: Move): Promise<boolean> {
  const row = await readTenantRow(client, schema);
  return row?.state === 'moved' && row.moveId === moveId;
}
