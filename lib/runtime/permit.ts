/** The right to send one statement without waiting for a connection. */
export interface Permit {
  /** Call it when the statement has ended, or will not be sent. */
  release(): void;
}

/** Gives permits. The store implements it, because only the store knows its connections. */
export interface PermitSource {
  /**
   * Waits for a connection on which the tenant's next statement can be sent. Never rejects: whether the connection can
   * be opened shows when the statement is sent.
   */
  permit(): Promise<Permit>;
}
