import { ProcessEngine } from '../engine/process-engine.js';
import type { RunQueue } from '../engine/run-queue.js';
import { ControlConnection } from '../store/control-connection.js';
import { connectionConfig, type ConnectionSource } from '../store/connection-config.js';
import { createPools, type LoginPools } from '../store/pools.js';

export interface LoginSettings extends ConnectionSource {
  /** A direct URL for the control connection, where `databaseUrl` leads to a pooler. */
  readonly controlUrl?: string | undefined;
  readonly poolSize: number;
  readonly leaseDurationMs: number;
}

/** The pools and the engine of one login; every tenant on it shares them. */
export class LoginEngine {
  readonly pools: LoginPools;
  readonly process: ProcessEngine;
  /** Tenants that are served on it. */
  tenants = 0;
  private started: Promise<void> | undefined;

  constructor(settings: LoginSettings, slots: RunQueue) {
    const connection = connectionConfig(settings);
    const control =
      settings.controlUrl === undefined
        ? connection
        : connectionConfig({ databaseUrl: settings.controlUrl });
    this.process = new ProcessEngine({
      slots,
      leaseDurationMs: settings.leaseDurationMs,
      open: ({ id, lockKey }, onPayload, onLost) =>
        ControlConnection.open({
          connection: control,
          applicationName: `cloacina:${id}`,
          lockKey,
          onPayload,
          onLost,
        }),
    });
    this.pools = createPools({
      connection,
      poolSize: settings.poolSize,
      applicationName: `cloacina:${this.process.processId}`,
    });
  }

  /** Connects; once, whoever asks first, and again if that failed. */
  start(): Promise<void> {
    this.started ??= this.process.start().catch((error: unknown) => {
      this.started = undefined;
      throw error;
    });
    return this.started;
  }

  async close(): Promise<void> {
    await this.process.stop();
    await this.pools.end();
  }
}
