/** How the names of the library's own workflows and limits begin. Those of the application must not have such names. */
export const BUILT_IN_PREFIX = 'cloacina.';

/** The limit that lets one execution of each poller run at a time. Its key is the poller's name. */
export const POLLER_LIMIT = `${BUILT_IN_PREFIX}poller`;

const POLLER_PREFIX = `${POLLER_LIMIT}.`;

export function isBuiltInName(name: string): boolean {
  return name.startsWith(BUILT_IN_PREFIX);
}

/**
 * The name of the workflow of a poller. Each poller has one of its own, so that a process claims only the polls of pollers
 * that its code has.
 */
export function pollerWorkflowName(poller: string): string {
  return `${POLLER_PREFIX}${poller}`;
}

/** The name of the poller whose workflow this is; undefined for another workflow. */
export function pollerOf(workflow: string): string | undefined {
  return workflow.startsWith(POLLER_PREFIX) ? workflow.slice(POLLER_PREFIX.length) : undefined;
}
