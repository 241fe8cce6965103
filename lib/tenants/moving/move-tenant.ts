import { randomUUID } from 'node:crypto';
import pg from 'pg';
import {
  CloacinaError,
  MoveFailedError,
  MoveNotPossibleError,
  reasonOf,
  type MovePlaces,
} from '../../errors/index.js';
import { inAdminSession, joinRole, lockTenant, type AdminSession } from '../admin/admin-session.js';
import { readTenantState } from '../admin/tenant-state.js';
import { dropUnusedSchema } from './drop-copy.js';
import { finishSwitch, holdLock, validateMoved } from './finish-switch.js';
import {
  findTenantPlaces,
  isLiving,
  unfinishedSwitch,
  type MoveServers,
  type TenantPlace,
} from './tenant-places.js';
import { insistently } from './insistently.js';
import type { MoveOptions, MoveReport } from './move-options.js';
import { MoveSide } from './move-side.js';
import { holdMoveLock, readTenantRow, undoMove } from './move-state.js';
import { hasMoved, Mover, type Carried } from './mover.js';
import { openLogin } from './move-roles.js';
import { prepareTarget, type Prepared } from './prepare-target.js';
import { ProgressReport } from './progress-report.js';
import type { ApplicationMigrations } from './target-schema.js';

/** A move that is asked for. */
export interface MoveRequest extends ApplicationMigrations, Pick<MoveOptions, 'to' | 'onProgress'> {
  readonly schema: string;
  readonly dryRun: boolean;
  readonly drainMs: number;
  /** How long the tenant may stand still beyond `drainMs`, in milliseconds. Default: 5 minutes. */
  readonly stopBoundMs?: number;
  /** How long the last copy of changes may take, in milliseconds, so that the tenant is stopped at all. Default: 30 s. */
  readonly maxRoundMs?: number;
}

/** How long a server may be away before a move that it interrupts is left as it is, in milliseconds. */
const AWAY_MS = 20_000;

/**
 * Moves a tenant to another server. A move that was interrupted is finished if its source has given the tenant away, and otherwise
 * undone and made anew.
 */
export async function moveTenant(servers: MoveServers, request: MoveRequest): Promise<MoveReport> {
  const began = performance.now();
  const { schema, to, dryRun } = request;
  const report = (from: string, facts: Partial<MoveReport> = {}): MoveReport => ({
    schema,
    from,
    to,
    tables: 0,
    rows: 0,
    bytes: 0,
    stoppedMs: 0,
    notes: [],
    ...facts,
    durationMs: performance.now() - began,
  });
  let places = await findTenantPlaces(servers, schema);
  if (places.live === undefined) {
    const moved = unfinishedSwitch(places);
    if (dryRun || moved === undefined) return report(moved?.server ?? to);
    await finishSwitch(servers, schema, moved);
    if (moved.row.peer === to) return report(moved.server);
    places = await findTenantPlaces(servers, schema);
  }
  const { live } = places;
  const from = live?.server ?? '';
  if (live === undefined || from === to) {
    const moved = places.moved.find(({ row }) => row.peer === to);
    if (moved !== undefined && !dryRun) await validateMoved(servers, schema, moved);
    return report(moved?.server ?? from);
  }
  const left = places.moved.find(({ server }) => server === to);
  if (left !== undefined) {
    throw new MoveNotPossibleError({ schema, from, to }, [
      `Server ${JSON.stringify(to)} still has what an earlier move has left of the tenant. Call finishMove() first.`,
    ]);
  }
  const facts = await new MoveAttempt(servers, request, live).run();
  return report(from, facts);
}

/** One attempt to move a tenant that was found living on a server. */
export class MoveAttempt {
  private readonly moveId = randomUUID();
  private readonly places: MovePlaces;
  private readonly progress: ProgressReport;
  private from: MoveSide;
  private to: MoveSide;

  constructor(
    private readonly servers: MoveServers,
    private readonly request: MoveRequest,
    live: TenantPlace,
  ) {
    const { schema, to } = request;
    const from = live.server;
    const { moveId } = this;
    this.places = { schema, from, to };
    this.progress = new ProgressReport(request.onProgress);
    this.from = new MoveSide({ server: from, source: servers.source(from), moveId, peer: to });
    this.to = new MoveSide({ server: to, source: servers.source(to), moveId, peer: from });
  }

  async run(): Promise<Partial<MoveReport>> {
    const { from, to } = this.places;
    try {
      return await this.onServer(from, (here) =>
        this.onServer(to, (there) => this.move(here, there)),
      );
    } finally {
      this.from.close();
      this.to.close();
    }
  }

  /** Runs `work` with the rights of the admin's login: the roles are its own, the tables may be the tenant's. */
  private onServer<T>(server: string, work: (session: AdminSession) => Promise<T>): Promise<T> {
    return inAdminSession(this.servers.source(server), work).catch(async (error: unknown) => {
      if (error instanceof CloacinaError) throw error;
      throw await this.servers.explain(error, server);
    });
  }

  private async move(here: AdminSession, there: AdminSession): Promise<Partial<MoveReport>> {
    const { schema, dryRun } = this.request;
    const { login, isolationRole } = await readTenantState(here, { schema });
    if (login !== undefined) await joinRole(here, login.name);
    // Whatever the tenant has put into its schema runs with its own rights.
    this.from = this.from.as(login?.name);
    this.to = this.to.as(login?.name);
    const control = await this.from.connect();
    await holdLock(control, this.places);
    await lockTenant(here, { schema });
    await this.undoEarlier(control);
    this.progress.enter('preparing');
    // From the first state of the move on, the mover says what becomes of the copy: the tenant may live there.
    let isPreparing = true;
    try {
      const prepared = await prepareTarget({
        ...this.request,
        places: this.places,
        moveId: this.moveId,
        from: this.from,
        to: this.to,
        control,
        there,
        login: login?.name,
        isIsolated: isolationRole !== undefined,
      });
      if (dryRun) return prepared.size;
      const names = login && { schema, username: login.name };
      const notes = names === undefined ? [] : await openLogin(here, there, names);
      isPreparing = false;
      const carried = await this.carry(control, prepared, login?.name);
      return { tables: prepared.size.tables, ...carried, bytes: this.progress.bytes, notes };
    } catch (error) {
      if (error instanceof CloacinaError) throw error;
      const facts = { why: reasonOf(error), isUndone: true };
      throw new MoveFailedError(this.places, facts, { cause: error });
    } finally {
      this.to.close();
      if (isPreparing) await dropUnusedSchema(there, schema, this.moveId).catch(() => undefined);
    }
  }

  /**
   * Ends what a mover that died has begun: its source lives on, and its copy is dropped. It reads the state under the lock of the
   * move, because another mover may have ended since the places were looked up, and the tenant may live on the target.
   */
  private async undoEarlier(control: pg.Client): Promise<void> {
    const { schema } = this.places;
    const row = await readTenantRow(control, schema);
    if (row === undefined || !isLiving(row)) throw this.changed();
    const { moveId, peer } = row;
    if (moveId === null || peer === null) return;
    if (!(await undoMove(control, { schema, moveId, peer }))) throw this.changed();
    if (!this.servers.names.includes(peer)) return;
    await this.dropLeft(peer, moveId);
  }

  private changed(): MoveNotPossibleError {
    return new MoveNotPossibleError(this.places, [
      'Another process has changed the state of the tenant at the same time. Call it again.',
    ]);
  }

  private async dropLeft(server: string, moveId: string): Promise<void> {
    const { schema } = this.places;
    await inAdminSession(this.servers.source(server), async (session) => {
      await dropUnusedSchema(session, schema, moveId);
    }).catch((error: unknown) => {
      // Another server than the one to move to may be away. Its copy is found by finishMove().
      if (server === this.places.to) throw error;
    });
  }

  private async carry(
    control: pg.Client,
    { catalog }: Prepared,
    login: string | undefined,
  ): Promise<Carried> {
    const { from, to, moveId, progress } = this;
    const mover = new Mover({
      ...this.request,
      from,
      to,
      control,
      catalog,
      login,
      moveId,
      progress,
    });
    try {
      return await mover.run();
    } catch (error) {
      // The server ends what the connections were doing, and the locks are free for the undoing.
      this.from.close();
      this.to.close();
      return this.afterFailure(error, mover);
    }
  }

  /**
   * Undoes the move, or finishes it if the source has given the tenant away: its commit may have succeeded although its reply was
   * lost. A server that restarts is waited for.
   */
  private async afterFailure(
    failure: unknown,
    mover: Mover,
  ): Promise<{ rows: number; stoppedMs: number }> {
    const { schema, to } = this.places;
    const onSource = { schema, moveId: this.moveId, peer: to };
    const ended = await insistently(AWAY_MS, async () => {
      const control = await this.from.connect();
      try {
        // The server has ended what the lost connection was doing only when the lock is free.
        if (!(await holdMoveLock(control, schema))) throw new Error('The lock is not free yet.');
        if (mover.mayHaveSwitched && (await hasMoved(control, onSource))) return 'moved';
        const row = await readTenantRow(control, schema);
        if (row?.state === 'live') return 'undone';
        return (await undoMove(control, onSource)) ? 'undone' : 'unknown';
      } finally {
        this.from.close();
      }
    }).catch(() => 'unknown');
    const why = reasonOf(failure);
    if (ended === 'undone') {
      await insistently(AWAY_MS, () => this.dropLeft(to, this.moveId)).catch(() => undefined);
      throw new MoveFailedError(this.places, { why, isUndone: true }, { cause: failure });
    }
    if (ended === 'moved') {
      const row = { state: 'moved', moveId: this.moveId, peer: to } as const;
      const place = { server: this.places.from, row };
      const isLive = await insistently(AWAY_MS, () =>
        finishSwitch(this.servers, schema, place),
      ).then(
        () => true,
        () => false,
      );
      if (isLive) return mover.carried;
    }
    throw new MoveFailedError(this.places, { why, isUndone: false }, { cause: failure });
  }
}
