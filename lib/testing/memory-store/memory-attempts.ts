import type { MemoryTask } from './memory-rows.js';

/** Maximum number of attempts that a task's row keeps. */
const MAX_ATTEMPTS = 20;

/** Counts a failed attempt, and stores its times and error. */
export function appendAttempt(task: MemoryTask, error: unknown, now: number): void {
  const kept = task.attempts === null ? [] : (JSON.parse(task.attempts) as unknown[]);
  task.attempt++;
  kept.push({
    attempt: task.attempt,
    startedAt: task.startedAt === null ? null : new Date(task.startedAt).toISOString(),
    completedAt: new Date(now).toISOString(),
    owner: task.owner,
    error: error ?? null,
  });
  task.attempts = JSON.stringify(kept.slice(-MAX_ATTEMPTS));
}
