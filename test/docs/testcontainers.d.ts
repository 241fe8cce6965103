// What docs/testing.md uses of Testcontainers, which the library doesn't depend on. As in its version 11.
declare module '@testcontainers/postgresql' {
  export interface StartedPostgreSqlContainer {
    getConnectionUri(): string;
    stop(): Promise<unknown>;
  }
  export class PostgreSqlContainer {
    constructor(image: string);
    start(): Promise<StartedPostgreSqlContainer>;
  }
}
