import type { ActionRow, Page } from '../../../lib/dashboard/http-types.js';
import { tenantApi } from '../core/api.js';
import { useResource } from '../core/resource.js';
import { linkTo, place, setQuery } from '../core/router.js';
import { Pager, SearchField } from '../ui/pager.js';
import { Ago, Card, ExecutionLink, Loaded, Name, Table, Words } from '../ui/parts.js';

const WORDS: Readonly<Record<ActionRow['kind'], string>> = {
  'schedule.backfilled': 'Backfilled the schedule',
  'schedule.created': 'Created the schedule',
  'schedule.deleted': 'Deleted the schedule',
  'schedule.paused': 'Paused the schedule',
  'schedule.resumed': 'Resumed the schedule',
  'schedule.run': 'Ran the schedule now',
  'schedule.updated': 'Changed the schedule',
  'workflow.paused': 'Paused the workflow',
  'workflow.resumed': 'Resumed the workflow',
};

/** The actions on one workflow or schedule. */
export function actionsOf(tenant: string, subject: string): string {
  return linkTo(['t', tenant, 'actions'], { subject });
}

/** Who did what to workflows and schedules. What was done to an execution is in its history. */
export function ActionsView({ tenant }: { tenant: string }) {
  const { query } = place.value;
  const search = new URLSearchParams();
  for (const [name, parameter] of [
    ['subject', 'subject'],
    ['actor', 'actor'],
    ['cursor', 'before'],
  ] as const) {
    const value = query.get(name);
    if (value !== null) search.set(parameter, value);
  }
  const page = useResource<Page<ActionRow>>(`${tenantApi(tenant, 'actions')}?${search}`, tenant);
  const isFiltered = query.has('subject') || query.has('actor');
  return (
    <>
      <div class="page-head">
        <h1>Actions</h1>
        <div class="buttons">
          <SearchField
            label="Workflow or schedule"
            value={query.get('subject') ?? ''}
            onSearch={(subject) => setQuery({ subject })}
          />
          <SearchField
            label="User"
            value={query.get('actor') ?? ''}
            onSearch={(actor) => setQuery({ actor })}
          />
        </div>
      </div>
      <Card
        title="On workflows and schedules, the latest first"
        side={isFiltered ? <a href={linkTo(['t', tenant, 'actions'])}>Show all</a> : null}
      >
        <Loaded
          from={page}
          isEmpty={({ items }) => items.length === 0}
          empty={
            isFiltered
              ? 'No action matches. Names are compared as a whole.'
              : 'No workflow or schedule of this tenant has been changed yet.'
          }
        >
          {({ items, nextCursor }) => (
            <>
              <Table
                label="Actions"
                isOfPairs
                columns={['When', 'Workflow or schedule', 'What', 'Reason', 'User', 'Execution']}
              >
                {items.map((one) => (
                  <Row key={one.id} tenant={tenant} of={one} />
                ))}
              </Table>
              <Pager next={nextCursor} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}

function Row({ tenant, of }: { tenant: string; of: ActionRow }) {
  const { at, actor, kind, subject, reason, executionId } = of;
  const view = kind.startsWith('workflow') ? 'workflows' : 'schedules';
  return (
    <tr>
      <td>
        <Ago at={at} />
      </td>
      <td>
        <a href={linkTo(['t', tenant, view, subject])}>
          <Name text={subject} max={40} />
        </a>
      </td>
      <td>{WORDS[kind]}</td>
      <td class={reason === undefined ? 'none' : 'why'}>
        {reason === undefined ? <span class="dim">–</span> : <Words text={reason} max={90} />}
      </td>
      <td>
        <a class="quiet" href={linkTo(['t', tenant, 'actions'], { actor })}>
          <Name text={actor} max={32} />
        </a>
      </td>
      <td class={executionId === undefined ? 'none' : undefined}>
        {executionId === undefined ? (
          <span class="dim">–</span>
        ) : (
          <ExecutionLink tenant={tenant} id={executionId} />
        )}
      </td>
    </tr>
  );
}
