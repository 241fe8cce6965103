import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { Backlog, TelemetrySource } from '../events/telemetry.js';
import { ATTRIBUTE, METRIC } from './names.js';
import type { TenantLabels } from './tenant-labels.js';

/** What is read each time that metrics are collected: the slots and pools of the process, and the backlog of its tenants. */
export class Gauges {
  private readonly slotLimit: Observable;
  private readonly slotUsed: Observable;
  private readonly slotQueued: Observable;
  private readonly poolCount: Observable;
  private readonly poolMax: Observable;
  private readonly poolPending: Observable;
  private readonly backlogDue: Observable;
  private readonly backlogAge: Observable;

  constructor(
    private readonly meter: Meter,
    private readonly tenants: TenantLabels,
    private readonly readsBacklog: boolean,
  ) {
    const upDown = (name: string, unit: string, description: string): Observable =>
      meter.createObservableUpDownCounter(name, { unit, description });
    this.slotLimit = upDown(METRIC.slotLimit, '{slot}', 'Slots for tasks in this process.');
    this.slotUsed = upDown(METRIC.slotUsed, '{slot}', 'Slots in use.');
    this.slotQueued = upDown(METRIC.slotQueued, '{task}', 'Claimed tasks that wait for a slot.');
    this.poolCount = upDown(METRIC.poolCount, '{connection}', 'Connections of a pool, by state.');
    this.poolMax = upDown(METRIC.poolMax, '{connection}', 'Maximum number of connections.');
    this.poolPending = upDown(
      METRIC.poolPending,
      '{request}',
      'Requests that wait for a connection.',
    );
    // A gauge, because all processes read the same rows: their values do not add up.
    this.backlogDue = meter.createObservableGauge(METRIC.backlogDue, {
      unit: '{task}',
      description: 'Due tasks that wait to be claimed, at most 10,000.',
    });
    this.backlogAge = meter.createObservableGauge(METRIC.backlogAge, {
      unit: 's',
      description: 'Time since the oldest due task became due; 0 without one.',
    });
  }

  /** Returns a function that ends it. */
  observe(source: TelemetrySource): () => void {
    const slots = [this.slotLimit, this.slotUsed, this.slotQueued];
    const pools = [this.poolCount, this.poolMax, this.poolPending];
    const backlog = [this.backlogDue, this.backlogAge];
    const ofProcess = (result: BatchObservableResult): void => {
      this.observeSlots(result, source);
      this.observePools(result, source);
    };
    const ofDatabase = async (result: BatchObservableResult): Promise<void> => {
      // Without the database there is nothing to report. Its absence shows elsewhere.
      const found = await source.backlog().catch(() => []);
      this.observeBacklog(result, found);
    };
    this.meter.addBatchObservableCallback(ofProcess, [...slots, ...pools]);
    if (this.readsBacklog) this.meter.addBatchObservableCallback(ofDatabase, backlog);
    return () => {
      this.meter.removeBatchObservableCallback(ofProcess, [...slots, ...pools]);
      this.meter.removeBatchObservableCallback(ofDatabase, backlog);
    };
  }

  private observeSlots(result: BatchObservableResult, source: TelemetrySource): void {
    const { limit, running, queued } = source.slots();
    result.observe(this.slotLimit, limit);
    result.observe(this.slotUsed, running);
    result.observe(this.slotQueued, queued);
  }

  private observePools(result: BatchObservableResult, source: TelemetrySource): void {
    for (const { name, server, max, used, idle, pending } of source.pools()) {
      const pool: Attributes = {
        [ATTRIBUTE.poolName]: name,
        ...(server === undefined ? {} : { [ATTRIBUTE.server]: server }),
      };
      result.observe(this.poolCount, used, { ...pool, [ATTRIBUTE.poolState]: 'used' });
      result.observe(this.poolCount, idle, { ...pool, [ATTRIBUTE.poolState]: 'idle' });
      result.observe(this.poolMax, max, pool);
      result.observe(this.poolPending, pending, pool);
    }
  }

  /** Tenants that share a label, on one server, are one: their tasks add up, and the oldest counts. */
  private observeBacklog(result: BatchObservableResult, found: readonly Backlog[]): void {
    const sums = new Map<string, { attributes: Attributes; due: number; oldestMs: number }>();
    for (const { tenant, server, due, oldestMs } of found) {
      const label = this.tenants.of(tenant);
      const attributes: Attributes = {
        ...(label === undefined ? {} : { [ATTRIBUTE.tenant]: label }),
        ...(server === undefined ? {} : { [ATTRIBUTE.server]: server }),
      };
      const key = JSON.stringify([label, server]);
      const sum = sums.get(key) ?? { due: 0, oldestMs: 0 };
      sums.set(key, {
        attributes,
        due: sum.due + due,
        oldestMs: Math.max(sum.oldestMs, oldestMs),
      });
    }
    for (const { attributes, due, oldestMs } of sums.values()) {
      result.observe(this.backlogDue, due, attributes);
      result.observe(this.backlogAge, oldestMs / 1_000, attributes);
    }
  }
}
