import { useEffect, useState } from 'preact/hooks';
import { cutText, formatCount } from './core/format.js';
import { overview } from './core/live.js';
import { linkTo, navigate, place } from './core/router.js';
import { rememberTenant, session, setTheme, tenant, theme } from './core/session.js';
import { DialogHost, Toasts } from './ui/dialog.js';
import { openShortcuts, useShortcuts } from './ui/shortcuts.js';
import { ActionsView } from './views/actions.js';
import { ExecutionView } from './views/execution.js';
import { ExecutionsView } from './views/executions.js';
import { FailuresView } from './views/failures.js';
import { LiveMark, OverviewView } from './views/overview.js';
import { ProcessesView } from './views/processes.js';
import { ScheduleView, SchedulesView } from './views/schedules.js';
import { TenantPlace } from './views/tenant-place.js';
import { TenantsView } from './views/tenants.js';
import { LimitsView, WorkflowView, WorkflowsView } from './views/workflows.js';

/** The views of a tenant, by the segment behind its name. */
const OF_TENANT = ['executions', 'schedules', 'workflows', 'limits', 'actions'] as const;

function View() {
  const { segments } = place.value;
  const [first = '', name = '', kind = '', id] = segments;
  useEffect(() => {
    const last = segments.at(-1);
    document.title = last === undefined ? 'Cloacina' : `${cutText(last, 60)} · Cloacina`;
  }, [segments]);
  if (first === '') return <OverviewView />;
  if (first === 'failures') return <FailuresView />;
  if (first === 'tenants') return <TenantsView />;
  if (first === 'processes') return <ProcessesView />;
  if (first === 't' && kind === 'executions')
    return id === undefined ? (
      <ExecutionsView key={name} tenant={name} />
    ) : (
      <ExecutionView key={id} tenant={name} id={id} />
    );
  if (first === 't' && kind === 'schedules')
    return id === undefined ? (
      <SchedulesView key={name} tenant={name} />
    ) : (
      <ScheduleView key={id} tenant={name} name={id} />
    );
  if (first === 't' && kind === 'workflows')
    return id === undefined ? (
      <WorkflowsView key={name} tenant={name} />
    ) : (
      <WorkflowView key={id} tenant={name} name={id} />
    );
  if (first === 't' && kind === 'limits') return <LimitsView key={name} tenant={name} />;
  if (first === 't' && kind === 'actions') return <ActionsView key={name} tenant={name} />;
  return (
    <div class="empty">
      <h1>There is no such page</h1>
      <a href={linkTo([])}>Overview</a>
    </div>
  );
}

export function App() {
  useShortcuts();
  const [isOpen, setOpen] = useState(false);
  const at = place.value;
  useEffect(() => setOpen(false), [at]);
  useEffect(() => {
    if (at.segments[0] === 't' && at.segments[1] !== undefined) rememberTenant(at.segments[1]);
  }, [at]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.querySelector<HTMLElement>('main')?.focus();
        }}
      >
        Skip to the content
      </a>
      <div class={isOpen ? 'shell open' : 'shell'}>
        <header class="top-bar">
          <a class="brand" href={linkTo([])}>
            <Logo /> Cloacina
          </a>
          <LiveMark />
          <button
            type="button"
            class="icon"
            aria-label="Menu"
            aria-expanded={isOpen}
            aria-controls="nav"
            onClick={() => setOpen(!isOpen)}
          >
            ☰
          </button>
        </header>
        <Navigation />
        <main id="main" tabindex={-1}>
          {at.segments[0] === 't' && at.segments[1] !== undefined ? (
            <TenantPlace key={at.segments[1]} tenant={at.segments[1]} />
          ) : null}
          <View />
        </main>
      </div>
      <DialogHost />
      <Toasts />
    </>
  );
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" width={22} height={22} aria-hidden="true">
      <rect width={32} height={32} rx={8} />
      <path d="M11 16h3c4 0 2-6 7-6M11 16h3c4 0 2 6 7 6" />
      <circle cx={9} cy={16} r={3.2} />
      <circle cx={23} cy={10} r={3.2} />
      <circle cx={23} cy={22} r={3.2} />
    </svg>
  );
}

function Navigation() {
  const [first, , kind] = place.value.segments;
  const name = tenant.value;
  const names = session.value?.tenantNames ?? [];
  const link = (segments: readonly string[], label: string, isHere: boolean, count?: string) => (
    <a href={linkTo(segments)} aria-current={isHere ? 'page' : undefined}>
      {label}
      {count === undefined ? null : <span class="badge">{count}</span>}
    </a>
  );
  const failed = overview.value?.counts.Failed;
  return (
    <nav id="nav" aria-label="Views">
      <a class="brand" href={linkTo([])}>
        <Logo /> Cloacina
      </a>
      {link([], 'Overview', first === undefined)}
      {link(
        ['failures'],
        'Failures',
        first === 'failures',
        failed === undefined || failed.count === 0 ? undefined : formatCount(failed),
      )}
      {link(['tenants'], 'Tenants', first === 'tenants')}
      {link(['processes'], 'Processes', first === 'processes')}
      <label class="tenant">
        <span>Tenant</span>
        <select
          value={name ?? ''}
          onChange={(event) => {
            const next = event.currentTarget.value;
            rememberTenant(next);
            navigate(linkTo(['t', next, OF_TENANT.find((one) => one === kind) ?? 'executions']));
          }}
        >
          {[...new Set(name === undefined ? names : [name, ...names])].map((one) => (
            <option key={one} value={one}>
              {cutText(one, 40)}
            </option>
          ))}
        </select>
      </label>
      {name === undefined
        ? null
        : OF_TENANT.map((one) =>
            link(
              ['t', name, one],
              one.charAt(0).toUpperCase() + one.slice(1),
              first === 't' && kind === one,
            ),
          )}
      <div class="foot">
        {session.value?.readOnly === true ? <p class="tag">read only</p> : null}
        {session.value?.actor === undefined ? null : (
          <p class="dim small">{cutText(session.value.actor, 60)}</p>
        )}
        <select
          aria-label="Theme"
          value={theme.value}
          onChange={(event) => setTheme(event.currentTarget.value as 'system')}
        >
          <option value="system">System theme</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
        <button type="button" class="link" onClick={openShortcuts}>
          Shortcuts <kbd>?</kbd>
        </button>
      </div>
    </nav>
  );
}
