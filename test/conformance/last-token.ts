import { FIRST_TOKEN } from '../../lib/store/port/index.js';

const claims = new Map<string, number>();

/** A session has claimed the task. */
export function noteClaim(executionId: string, taskNo: number, token: number): void {
  claims.set(`${executionId}/${taskNo}`, token);
}

/** The token of the last claim that a session made of the task; the first one's, where that was the start. */
export function lastToken(executionId: string, taskNo: number): number {
  return claims.get(`${executionId}/${taskNo}`) ?? FIRST_TOKEN;
}
