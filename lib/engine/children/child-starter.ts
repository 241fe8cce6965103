import { Logger } from '@nestjs/common';
import { NotAllowedError, toStoredError } from '../../errors/index.js';
import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import {
  type ChildFate,
  type ChildrenReply,
  type ChildStart,
  type ChildStore,
  type OnParentEnd,
  type ParentStep,
  type StartStore,
  type UserTransaction,
  byLockOrder,
} from '../../store/port/index.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import { keyIsHeld } from '../starts/start-failures.js';
import { toStartItem, wantedClaims, withClaims } from '../starts/start-item.js';
import { classifierOf, weightOf, WRITE_LIMITS } from '../write-batches.js';
import type { StartConsequences } from '../starts/starter.js';
import type { StartRequest } from '../starts/start-request.js';
import type { ChildUse } from './child-use.js';

/** Maximum number of children in one statement. */
const MAX_CHILDREN = 500;
/** Maximum wait of a statement for an idempotency key that another transaction is inserting, in milliseconds. */
const LOCK_TIMEOUT_MS = 100;

/** A child to start, for a step of a claimed task. */
export interface ChildRequest {
  readonly request: StartRequest;
  readonly parent: ParentStep;
  readonly onParentEnd: OnParentEnd;
  readonly inheritsTags: boolean;
  readonly inheritsPriority: boolean;
}

/** The execution that a step has got. */
export interface ChildStarted {
  readonly fate: ChildFate;
  /** With the fate `exists` and without a key, the step's row has the id. */
  readonly id: string;
  /** Whether the execution may have existed before the step, so it may have ended. */
  readonly isAttached: boolean;
}

export interface ChildStarterParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly schema: string;
  /** How long a start in a transaction waits for its idempotency key, in milliseconds. */
  readonly startTimeoutMs: number;
  readonly store: FailureClassifier &
    Pick<StartStore, 'findByKeys'> & { readonly children: ChildStore };
  readonly gate: ClaimGate;
  readonly consequences: StartConsequences;
  /** The payload of a notification of ready tasks, to be sent with the commit of a task's transaction. */
  readonly workPayload: () => string;
  readonly use: Pick<ChildUse, 'noted'>;
}

/** Starts children in batches, and claims their root tasks in the same statement as far as there is room. */
export class ChildStarter {
  private readonly logger = new Logger('Cloacina');
  private readonly plain: Batcher<ChildRequest, ChildFate>;
  private readonly keyed: Batcher<ChildRequest, ChildStarted>;

  constructor(private readonly parts: ChildStarterParts) {
    const { clock, store } = parts;
    const classify = classifierOf(store);
    this.plain = new Batcher({
      clock,
      maxItems: MAX_CHILDREN,
      ...WRITE_LIMITS,
      weight: ({ request: { definition, input } }) =>
        weightOf(1 + definition.workflow.tasks.length, input.length),
      send: (items, resent) => this.send(items, resent),
      classify,
      late: (items, error) => this.reportLate(items, error),
    });
    // One at a time: each may have to wait for a transaction that holds its key.
    this.keyed = new Batcher({
      clock,
      maxItems: 1,
      send: async ([child], resent) =>
        child === undefined ? [] : [await this.attach(child, resent)],
      classify,
      late: (items, error) => this.reportLate(items, error),
    });
  }

  async start(child: ChildRequest): Promise<ChildStarted> {
    this.parts.use.noted();
    const { id, idempotencyKey } = child.request;
    if (idempotencyKey !== null) return this.keyed.add(child);
    return { fate: await this.plain.add(child), id, isAttached: false };
  }

  /**
   * Starts a child in the transaction of its parent's task. It is not claimed here: its tasks are ready at the commit, which
   * sends a notification.
   */
  async startIn(manager: UserTransaction, child: ChildRequest): Promise<ChildStarted> {
    this.parts.use.noted();
    const { clock, gate, startTimeoutMs, store, tenant, workPayload } = this.parts;
    const { request, parent } = child;
    await store.children.markParent(parent.executionId);
    const began = clock.now();
    const reply = await store.children
      .startChildIn(
        manager,
        toChildStart(child, 0),
        gate.withoutClaim,
        workPayload(),
        startTimeoutMs,
      )
      .catch((error: unknown) => {
        if (!store.classifyFailure(error).isLockTimeout) throw error;
        const waitedMs = clock.now() - began;
        throw keyIsHeld({ tenant, request, waitedMs, isHeldHere: false }, error);
      });
    this.noteDefinitions(reply);
    const fate = reply.children[0]?.fate ?? 'refused';
    const { idempotencyKey: key, definition } = request;
    if (fate !== 'exists' || key === null) return { fate, id: request.id, isAttached: false };
    // Its step would be of no use: the task runs again only if the transaction is rolled back.
    const [owner] = await store.findByKeys([{ workflow: definition.workflow.name, key }], manager);
    return { fate, id: owner ?? request.id, isAttached: true };
  }

  get isBusy(): boolean {
    return this.plain.size > 0 || this.keyed.size > 0;
  }

  async whenIdle(): Promise<void> {
    await Promise.all([this.plain.whenIdle(), this.keyed.whenIdle()]);
  }

  close(): void {
    this.plain.close();
    this.keyed.close();
  }

  private async send(queued: readonly ChildRequest[], resent: boolean): Promise<ChildFate[]> {
    const order = [...queued.entries()].sort(([, a], [, b]) => byLockOrder(a.parent, b.parent));
    const sorted = order.map(([, child]) => child);
    const { children } = this.parts.store;
    const reply = await this.claimWith(sorted, resent, (starts, lease) =>
      children.startChildren(starts, lease),
    );
    const fates = new Array<ChildFate>(queued.length).fill('refused');
    for (const [at, [i]] of order.entries()) fates[i] = reply.children[at]?.fate ?? 'refused';
    return fates;
  }

  /** Starts a child with a key unless an execution has the key, and attaches the step to the execution that has it. */
  private async attach(child: ChildRequest, resent: boolean): Promise<ChildStarted> {
    const { store } = this.parts;
    const { request, parent } = child;
    const reply = await this.claimWith([child], resent, ([start], lease) =>
      start === undefined
        ? Promise.resolve({ children: [], definitionsAreStored: true })
        : store.children.startKeyedChild(start, lease, LOCK_TIMEOUT_MS),
    );
    const fate = reply.children[0]?.fate ?? 'refused';
    if (fate === 'refused' || fate === 'tooDeep')
      return { fate, id: request.id, isAttached: false };
    const owner = fate === 'started' ? request.id : await this.ownerOf(child);
    // Its transaction rolled back, or the execution was deleted, between the two statements.
    if (owner === undefined) return this.attach(child, resent);
    if (fate === 'exists') await this.assertNotHeldUp(child, owner);
    const [isHeld] = await store.children.attachChildren([{ parent, childId: owner }]);
    // Again, because the other execution may have been attached to this one between the look and the write.
    if (fate === 'exists') await this.assertNotHeldUp(child, owner);
    return { fate: isHeld === true ? fate : 'refused', id: owner, isAttached: true };
  }

  /** The execution that has the child's key. */
  private async ownerOf({ request }: ChildRequest): Promise<string | undefined> {
    const workflow = request.definition.workflow.name;
    const key = request.idempotencyKey ?? '';
    return (await this.parts.store.findByKeys([{ workflow, key }]))[0];
  }

  /** @throws NotAllowedError for an execution that waits for the parent of the step: each would wait for the other */
  private async assertNotHeldUp({ request, parent }: ChildRequest, owner: string): Promise<void> {
    const held = await this.parts.store.children.heldUpBy(parent.executionId);
    if (!held.includes(owner)) return;
    throw new NotAllowedError(
      `Waiting for the execution with the idempotency key ${JSON.stringify(request.idempotencyKey)}`,
      `it is execution ${owner}, which waits for this one, so each would wait for the other`,
      'Give the child another key.',
    );
  }

  private async claimWith(
    children: readonly ChildRequest[],
    resent: boolean,
    statement: (
      starts: readonly ChildStart[],
      lease: Parameters<ChildStore['startChildren']>[1],
    ) => Promise<ChildrenReply>,
  ): Promise<ChildrenReply> {
    const { gate, consequences } = this.parts;
    const requests = children.map(({ request }) => request);
    const wanted = requests.reduce((sum, request) => sum + wantedOfChild(request), 0);
    if (resent) consequences.mayBeWritten();
    let claims: readonly number[] = [];
    return gate.withRoom(
      gate.besideBacklog(wanted),
      (lease, room) => {
        const items = withClaims(requests, room, wantedOfChild);
        claims = items.map((item) => item.claims);
        return statement(
          children.map((child, i) => toChildStart(child, claims[i] ?? 0)),
          lease,
        );
      },
      (reply) => {
        this.noteDefinitions(reply);
        for (const [i, child] of children.entries()) {
          this.follow(child, reply, i, claims[i] ?? 0, resent);
        }
        return reply;
      },
    );
  }

  private follow(
    { request }: ChildRequest,
    { children, batch }: ChildrenReply,
    index: number,
    claims: number,
    resent: boolean,
  ): void {
    const { consequences } = this.parts;
    const reply = children[index];
    const roots = request.definition.workflow.roots.length;
    // An earlier send whose reply was lost may have started it and claimed some of its tasks.
    if (reply?.fate === 'exists' && resent) this.left(request, roots);
    if (reply?.fate !== 'started') return;
    consequences.created({ ...request, tags: reply.tags });
    if (claims > 0) consequences.claimed(request, claims, batch);
    if (claims < roots) this.left(request, roots - claims);
  }

  private left(request: StartRequest, roots: number): void {
    const { consequences } = this.parts;
    if (request.admission === null) consequences.leftReady(request, roots);
    else consequences.waits(request);
  }

  private noteDefinitions({ definitionsAreStored }: ChildrenReply): void {
    if (!definitionsAreStored) this.parts.consequences.definitionsMissing();
  }

  private reportLate(items: readonly ChildRequest[], error: unknown): void {
    const [first] = items;
    if (first === undefined) return;
    const others = items.length === 1 ? '' : ` and ${items.length - 1} more`;
    this.logger.warn(
      `Schema "${this.parts.schema}": child "${first.parent.step}" of execution ${first.parent.executionId}${others} could ` +
        `not be started for some seconds and will be retried: ${toStoredError(error).message}`,
    );
  }
}

/** A child with an admission waits for its turn, so none of its tasks is claimed with it. */
function wantedOfChild(request: StartRequest): number {
  return request.admission === null ? wantedClaims(request) : 0;
}

function toChildStart(child: ChildRequest, claims: number): ChildStart {
  const { request, ...rest } = child;
  return { item: toStartItem(request, claims), ...rest };
}
