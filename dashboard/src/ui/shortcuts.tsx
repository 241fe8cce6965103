import { useEffect } from 'preact/hooks';
import { linkTo, navigate } from '../core/router.js';
import { tenant } from '../core/session.js';
import { isDialogOpen, showDialog } from './dialog.js';

/** Views by the key after `g`. */
const VIEWS: Readonly<Record<string, readonly [string, () => string | undefined]>> = {
  o: ['Overview', () => linkTo([])],
  e: ['Executions', () => ofTenant('executions')],
  f: ['Failures', () => linkTo(['failures'])],
  s: ['Schedules', () => ofTenant('schedules')],
  w: ['Workflows', () => ofTenant('workflows')],
  l: ['Limits', () => ofTenant('limits')],
  a: ['Actions', () => ofTenant('actions')],
  t: ['Tenants', () => linkTo(['tenants'])],
  p: ['Processes', () => linkTo(['processes'])],
};

/** Keys of an execution's actions. */
const ACTIONS: Readonly<Record<string, readonly [string, string]>> = {
  r: ['retry', 'Retry the execution'],
  c: ['cancel', 'Cancel the execution'],
  p: ['pause', 'Pause the execution'],
  u: ['resume', 'Resume the execution'],
  s: ['signal', 'Send a signal to the execution'],
};

function ofTenant(view: string): string | undefined {
  return tenant.value === undefined ? undefined : linkTo(['t', tenant.value, view]);
}

export function openShortcuts(): void {
  const rows: [string, string][] = [
    ['?', 'Show this list'],
    ['/', 'Search in the view'],
    ...Object.entries(VIEWS).map(([key, [label]]): [string, string] => [`g ${key}`, label]),
    ['j k', 'Next and previous row'],
    ['Enter', 'Open the row'],
    ...Object.entries(ACTIONS).map(([key, [, label]]): [string, string] => [key, label]),
    ['Esc', 'Close a dialog'],
  ];
  showDialog(
    'Shortcuts',
    <dl class="keys">
      {rows.map(([keys, label]) => (
        <div key={keys}>
          <dt>
            {keys.split(' ').map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{label}</dd>
        </div>
      ))}
    </dl>,
  );
}

/** Keys do nothing in fields and dialogs, and with modifiers. */
export function useShortcuts(): void {
  useEffect(() => {
    let isAfterG = false;
    const press = (event: KeyboardEvent): void => {
      const { target, key } = event;
      if (event.metaKey || event.ctrlKey || event.altKey || isDialogOpen()) return;
      if (target instanceof HTMLElement && /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
        return;
      const view = isAfterG ? VIEWS[key]?.[1]() : undefined;
      const wasAfterG = isAfterG;
      isAfterG = key === 'g';
      if (view !== undefined) navigate(view);
      else if (wasAfterG || isAfterG) return;
      else if (key === '?') openShortcuts();
      else if (key === '/') document.querySelector<HTMLElement>('main input[type=search]')?.focus();
      else if (key === 'j') moveRow(1);
      else if (key === 'k') moveRow(-1);
      else {
        const action = ACTIONS[key]?.[0];
        if (action === undefined) return;
        document.querySelector<HTMLElement>(`main [data-action=${action}]`)?.click();
      }
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

/** Moves the focus to the first link of the next row. */
function moveRow(by: number): void {
  const links = [...document.querySelectorAll<HTMLElement>('main tbody tr, main .group')].flatMap(
    (row) => row.querySelector<HTMLElement>('a') ?? [],
  );
  const row = document.activeElement?.closest('tr, .group');
  const at = links.findIndex((link) => link.closest('tr, .group') === row);
  links[at === -1 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}
