import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { EngineSession, RecoverySession, TenantStore } from '../../store/port/index.js';

/** The session of a process with the database, for all tenants of one login. */
export interface GroupSession extends EngineSession, RecoverySession {
  /** The number of connections that the server gives to logins; undefined if it is not known. */
  usableConnections(): Promise<number | undefined>;
  /** The encoding of the database; undefined if it is not known. */
  encoding(): Promise<string | undefined>;
}

/** Opens a session. `onPayload` is called with each notification, and `sender` identifies the backend that sent it. */
export type OpenSession = (
  onPayload: (payload: string, sender: number) => void,
) => Promise<GroupSession>;

/** Replaces or wraps the stores of a process. The test kit has the only one. */
export interface StorageOverride {
  /** Whether the tenants are on PostgreSQL. If not, there are no schemas to create, and no data sources. */
  readonly isDatabase: boolean;
  /**
   * @param connections - the application name of the process's connections
   * @param usual - opens the control connection
   */
  openSession(
    connections: string,
    onPayload: (payload: string, sender: number) => void,
    usual: OpenSession,
  ): Promise<GroupSession>;
  /** @param usual - creates the store on PostgreSQL */
  storeOf(schema: string, usual: () => TenantStore): TenantStore;
  /** The workflows that each tenant runs beside those of the application. */
  builtIns(ofLibrary: readonly RegisteredWorkflow[]): readonly RegisteredWorkflow[];
}
