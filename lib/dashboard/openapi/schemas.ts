// Made by "npm run openapi:update" from lib/dashboard/http-types.ts. Change the types.

/** The schemas of requests and responses, by the name of their types. */
export const SCHEMAS: Readonly<Record<string, object>> = {
  ActionEntry: {
    description: 'What an `actor` did to a workflow or a schedule; see CloacinaRunner.actions .',
    type: 'object',
    properties: {
      id: { description: 'Names the entry in `before`.', type: 'string' },
      at: { type: 'string' },
      kind: {
        description:
          'The call: `workflow.paused` is `pauseWorkflow`, `schedule.run` is `schedules.runNow`, and so on.',
        type: 'string',
        enum: [
          'schedule.backfilled',
          'schedule.created',
          'schedule.deleted',
          'schedule.paused',
          'schedule.resumed',
          'schedule.run',
          'schedule.updated',
          'workflow.paused',
          'workflow.resumed',
        ],
      },
      subject: { description: 'The name of the workflow or schedule.', type: 'string' },
      actor: { description: 'The `actor` of the call.', type: 'string' },
      reason: { description: 'The `reason` of the call. Absent without one.', type: 'string' },
      executionId: {
        description: 'The execution that `schedules.runNow` starts. Absent for other calls.',
        type: 'string',
      },
    },
    required: ['id', 'at', 'kind', 'subject', 'actor'],
  },
  ActionResponse: {
    description:
      'What an action changed: the response of every action. Empty for an action that has nothing to count.\n\nAll actions are `POST` with a JSON body (`content-type: application/json`, at least `{}`) and the header\n`x-cloacina-action: 1`.\n\nProblems: 403 `ACTION_HEADER_MISSING` without the header, 415 `NOT_JSON` for another content type, 403 `READ_ONLY` if the\ndashboard is read-only, 400 `INVALID_ARGUMENT` for an invalid body, 409 `INVALID_TRANSITION` if the status of the execution\ndoes not allow the action.',
    type: 'object',
    properties: {
      executionId: {
        description:
          'The id of the execution that the action started: that of `run`, and the operation of a large bulk action or backfill.',
        type: 'string',
      },
      matched: {
        description:
          'How many executions match the filter of a bulk action, or how many times are in the range of a backfill.',
        type: 'number',
      },
      isCapped: {
        description:
          'Whether more may match than were counted: a dry run of a bulk action counts up to 10,000. Absent for other actions.',
        type: 'boolean',
      },
      changed: {
        description:
          'How many executions were changed, or started by a backfill. With `dryRun` it is 0.',
        type: 'number',
      },
    },
  },
  ActionRow: {
    description: 'A call that has changed a workflow or a schedule, and who made it.',
    $ref: '#/components/schemas/ActionEntry',
  },
  ActionsResponse: {
    description:
      'Response of `GET api/tenants/:tenant/actions?subject=…&actor=…&before=…&limit=…`: the latest first, of one workflow or schedule\n(`subject`), of one user (`actor`). `nextCursor` is the `before` of the next call.',
    type: 'object',
    properties: {
      items: {
        description: 'The items of this page, in the order that the call documents.',
        type: 'array',
        items: { $ref: '#/components/schemas/ActionEntry' },
      },
      nextCursor: {
        description:
          'Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page.',
        anyOf: [{ type: 'null' }, { type: 'string' }],
      },
    },
    required: ['items', 'nextCursor'],
  },
  AttemptEntry: {
    description: 'One attempt of a task. `at` is its start, or its end if the start is not known.',
    type: 'object',
    properties: {
      type: { const: 'task.attempt' },
      at: { type: 'string' },
      task: { type: 'string' },
      attempt: {
        description: '1 for the first attempt since the start or the last `retry()`.',
        type: 'number',
      },
      status: {
        description:
          '`Waiting`: a wait suspended it. `Cancelled`: the execution ended before the attempt did.',
        type: 'string',
        enum: ['Running', 'Completed', 'Failed', 'Cancelled', 'Waiting'],
      },
      endedAt: { description: 'Absent while the attempt runs.', type: 'string' },
      durationMs: {
        description:
          'The time from the start to the end, in milliseconds. Absent while the attempt runs, or if its start is not known.',
        type: 'number',
      },
      error: {
        description: 'The error of a Failed attempt.',
        $ref: '#/components/schemas/StoredError',
      },
      owner: {
        description:
          'The id of the instance that ran the attempt, if it runs or failed. `task.abandoned` has that of an abandoned one.',
        type: 'string',
      },
      process: {
        description: 'Host and process id of that instance, while the attempt runs.',
        type: 'string',
      },
    },
    required: ['type', 'at', 'task', 'attempt', 'status'],
  },
  BackfillBody: {
    description:
      'Body of `POST …/schedules/:name/backfill`: starts an execution for each time of the schedule in a range.',
    type: 'object',
    properties: {
      from: { description: 'The first time of the range, in ISO 8601.', type: 'string' },
      to: { description: 'The last time of the range, in ISO 8601.', type: 'string' },
      overlap: {
        description:
          'What happens to a time while the execution of the time before still runs: `allow` starts all at once, `queue` one after the\nother, `skip` starts nothing for it, `cancelPrevious` cancels the execution before, so only the last one is sure to run.\nDefault: `allow`.',
        type: 'string',
        enum: ['skip', 'allow', 'cancelPrevious', 'queue'],
      },
      dryRun: {
        description: '`true`: only `matched` is counted, and nothing is started. Default: `false`.',
        type: 'boolean',
      },
    },
    required: ['from', 'to'],
  },
  BulkBody: {
    description:
      'Body of `POST api/tenants/:tenant/bulk`: changes all executions that match a filter.',
    type: 'object',
    properties: {
      action: {
        description: 'What to do to each execution.',
        type: 'string',
        enum: ['cancel', 'pause', 'resume', 'retry'],
      },
      filter: {
        description: 'At least one condition, or `all: true`.',
        type: 'object',
        properties: {
          workflow: { description: 'The name of the workflow.', type: 'string' },
          status: {
            description: 'The status, or several of which it has one. May be repeated.',
            anyOf: [
              {
                type: 'string',
                enum: [
                  'Pending',
                  'Running',
                  'Paused',
                  'Finishing',
                  'Completed',
                  'Failed',
                  'Cancelled',
                ],
              },
              {
                type: 'array',
                items: {
                  type: 'string',
                  enum: [
                    'Pending',
                    'Running',
                    'Paused',
                    'Finishing',
                    'Completed',
                    'Failed',
                    'Cancelled',
                  ],
                },
              },
            ],
          },
          tag: {
            description: 'A tag as `name:value`, or several all of which it has. May be repeated.',
            anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
          },
          createdAfter: {
            description: 'The time after which it was created, in ISO 8601.',
            type: 'string',
          },
          createdBefore: {
            description: 'The time before which it was created, in ISO 8601.',
            type: 'string',
          },
          idempotencyKey: { description: 'Its idempotency key.', type: 'string' },
          waitingFor: {
            description: 'The name of a signal or an event that it waits for.',
            type: 'string',
          },
          parent: { description: 'The id of its parent.', type: 'string' },
          root: { description: 'The id of the execution at the top of its tree.', type: 'string' },
          all: { const: true },
        },
      },
      dryRun: {
        description:
          '`true`: only `matched` is counted, up to 10,000, and nothing is changed. Default: `false`.',
        type: 'boolean',
      },
      reason: {
        description:
          'Why, for people. Stored in the history, for `cancel` and `pause`. Default: none.',
        type: 'string',
      },
    },
    required: ['action', 'filter'],
  },
  CappedCount: {
    description:
      'A number that was counted up to a cap. `{ count: 10000, isCapped: true }` means "10,000 or more"; the page shows it as\n`10,000+`.',
    type: 'object',
    properties: {
      count: {
        description: 'The exact number, or a lower limit if `isCapped` is true.',
        type: 'number',
      },
      isCapped: {
        description: 'Whether the count stopped before it had counted all.',
        type: 'boolean',
      },
    },
    required: ['count', 'isCapped'],
  },
  ChangedEvent: {
    description:
      'Executions that have changed, as far as the process that answers knows.\n\nThe data of the event `changed` of `GET api/events`. A tenant has at most one such event in two seconds. Without an event for\n15 seconds the stream sends `ping`.',
    type: 'object',
    properties: {
      tenant: { description: 'The name of the tenant.', type: 'string' },
      executions: {
        description:
          'The ids of the executions that changed last, the latest first; at most 50. Empty if the change concerns none.',
        type: 'array',
        items: { type: 'string' },
      },
    },
    required: ['tenant', 'executions'],
  },
  ChildEntry: {
    description:
      'The task started a child with `execute`, `executeAll` or `start`, or was attached to an execution with its key.',
    type: 'object',
    properties: {
      type: { const: 'task.child' },
      at: { type: 'string' },
      task: { type: 'string' },
      step: { description: 'The name of the step, with its key after `#`.', type: 'string' },
      child: { description: 'The id of the child.', type: 'string' },
      status: {
        description:
          'How the wait for the child ended. Absent while the task waits, and for a child that nothing waits for.',
        type: 'string',
        enum: ['Completed', 'Failed', 'Cancelled', 'Missing'],
      },
      endedAt: {
        description: 'When the task was told of the end. Absent like the status.',
        type: 'string',
      },
    },
    required: ['type', 'at', 'task', 'step', 'child'],
  },
  ChildNode: {
    description: 'A checked child.',
    type: 'object',
    properties: {
      kind: { description: 'The kind of the node.', const: 'child' },
      workflow: { description: "The name of the child's workflow.", type: 'string' },
      output: {
        description: "The key of the child's context that is stored. Absent: the whole context.",
        type: 'string',
      },
      onParentEnd: {
        description:
          'What happens to the child if it has not ended when this execution is Cancelled or Failed.',
        type: 'string',
        enum: ['cancel', 'abandon'],
      },
      mapsInput: {
        description:
          "Whether a function of the code makes the child's input. Otherwise it is the context that the node sees.",
        type: 'boolean',
      },
    },
    required: ['kind', 'workflow', 'onParentEnd', 'mapsInput'],
  },
  ConflictEntry: {
    description: 'Dependencies of the task had written different values to one key of the context.',
    type: 'object',
    properties: {
      type: { const: 'task.conflict' },
      at: { type: 'string' },
      task: { type: 'string' },
      key: { description: 'The key of the context.', type: 'string' },
      tasks: {
        description: 'The tasks that wrote the key.',
        type: 'array',
        items: { type: 'string' },
      },
      winner: { description: 'The dependency whose value the task got.', type: 'string' },
    },
    required: ['type', 'at', 'task', 'key', 'tasks', 'winner'],
  },
  CreatedEntry: {
    description: 'The execution was stored by `start()`.',
    type: 'object',
    properties: {
      type: { const: 'execution.created' },
      at: { type: 'string' },
      runAt: {
        description: 'The earliest time at which tasks run. Absent: at once.',
        type: 'string',
      },
      idempotencyKey: {
        description: 'The idempotency key that the caller gave to `start()`. Absent without a key.',
        type: 'string',
      },
      tags: {
        description: 'The tags that the caller gave to `start()`. Absent without tags.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
    },
    required: ['type', 'at'],
  },
  DeferredEntry: {
    description:
      '`deferUntil` deferred the task for the first time. Later deferrals are not stored.',
    type: 'object',
    properties: {
      type: { const: 'task.deferred' },
      at: { type: 'string' },
      task: { type: 'string' },
    },
    required: ['type', 'at', 'task'],
  },
  DependenciesRule: {
    description: 'A condition on all dependencies together.',
    type: 'object',
    properties: {
      kind: {
        description:
          '`always`: the task runs. `notFailed`: it runs unless a dependency failed or was skipped because of a failure.',
        type: 'string',
        enum: ['always', 'notFailed'],
      },
    },
    required: ['kind'],
  },
  EndedEntry: {
    description: 'The execution ended. There is one more entry for each end before a `retry()`.',
    type: 'object',
    properties: {
      type: { const: 'execution.ended' },
      at: { type: 'string' },
      status: {
        description: 'The final status.',
        type: 'string',
        enum: ['Completed', 'Failed', 'Cancelled'],
      },
      error: {
        description:
          'The error of a Failed execution. An end before a `retry()` has it only after a timeout of the workflow; otherwise\nlook at the failed attempts.',
        $ref: '#/components/schemas/StoredError',
      },
      reason: { description: 'The reason that the caller gave to `cancel()`.', type: 'string' },
      actor: { description: 'The `actor` of the call to `cancel()`.', type: 'string' },
    },
    required: ['type', 'at', 'status'],
  },
  ExecutionAction: {
    description: 'What a user can do to one execution: each is a `POST …/executions/:id/ACTION`.',
    type: 'string',
    enum: ['cancel', 'pause', 'resume', 'retry', 'signal'],
  },
  ExecutionEvent: {
    description:
      'The state of an execution without its context.\n\nThe data of the event `execution` of `GET …/executions/:id/events`, which the stream sends at once and after each change. The\nstream ends with the execution.',
    type: 'object',
    properties: {
      tenant: { description: 'The name of its tenant.', type: 'string' },
      tasks: {
        description: 'Its tasks, dependencies before their dependents.',
        type: 'array',
        items: { $ref: '#/components/schemas/TaskRow' },
      },
      workflow: { description: 'The name of the workflow.', type: 'string' },
      reason: {
        description:
          'The reason that the caller gave to `pause` or `cancel`, if the execution is Paused or Cancelled. `expired` if it was\ncancelled because it had not begun before its `startBefore`.',
        type: 'string',
      },
      createdAt: { description: 'When the execution was stored.', type: 'string' },
      status: {
        description: 'The status of the execution.',
        type: 'string',
        enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
      },
      startBefore: {
        description:
          'Until when it must begin. Absent if it may begin at any time, and after it has begun or ended.',
        type: 'string',
      },
      id: { description: 'A UUID (version 7).', type: 'string' },
      idempotencyKey: {
        description: 'The idempotency key that the caller gave to `start`.',
        type: 'string',
      },
      waitingFor: {
        description:
          'What the execution waits for. Present if it has not ended and none of its tasks runs.',
        $ref: '#/components/schemas/ExecutionWaiting',
      },
      parent: {
        description: 'The execution whose task started this one as a child. Absent for others.',
        $ref: '#/components/schemas/ExecutionParent',
      },
      version: {
        description: 'The version of the definition that the execution is pinned to.',
        type: 'string',
      },
      error: {
        description:
          'The error of a Failed execution: its timeout, or else the error of the first task whose failure was not handled.',
        $ref: '#/components/schemas/StoredError',
      },
      failedTask: {
        description:
          'The name of the task whose failure `error` is. Absent after a timeout of the workflow.',
        type: 'string',
      },
      tags: {
        description: 'The tags that the caller gave to `start`. Absent without tags.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
      startedAt: {
        description: 'When a process claimed the first task. Absent until then.',
        type: 'string',
      },
      completedAt: { description: 'The end of the execution. Absent until then.', type: 'string' },
    },
    required: ['tenant', 'tasks', 'workflow', 'createdAt', 'status', 'id'],
  },
  ExecutionExplanation: {
    description:
      'Why an execution has not ended: what each of its open tasks waits for.\n\nAll facts of the execution and its tasks are those of one moment. Limits, processes and children are read right after it.',
    type: 'object',
    properties: {
      executionId: { description: 'The id of the execution.', type: 'string' },
      workflow: { description: 'The name of its workflow.', type: 'string' },
      status: {
        description: 'Its status.',
        type: 'string',
        enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
      },
      summary: {
        description: 'The most important cause, as sentences for people.',
        type: 'string',
      },
      tasks: {
        description:
          'The tasks that have not ended, dependencies before their dependents; of more than 200, the first 200. Of the items of a\nmap, a few examples for each cause follow the map; their numbers are in its reason. Empty for an execution that has ended.',
        type: 'array',
        items: { $ref: '#/components/schemas/TaskExplanation' },
      },
      open: {
        description: 'The number of tasks that have not ended, without items.',
        type: 'number',
      },
      processes: {
        description:
          'The living processes that serve the tenant, this one first; of more than 50, those that have served it for longest.',
        type: 'array',
        items: { $ref: '#/components/schemas/ServingProcess' },
      },
      startBefore: {
        description:
          'Until when the execution must begin. Absent if it may begin at any time, and after it has begun or ended.',
        type: 'string',
      },
      at: {
        description: 'When the facts were read, by the clock of this process.',
        type: 'string',
      },
    },
    required: ['executionId', 'workflow', 'status', 'summary', 'tasks', 'open', 'processes', 'at'],
  },
  ExecutionParent: {
    description: 'The parent of a child.',
    type: 'object',
    properties: {
      id: { description: 'The id of the parent.', type: 'string' },
      step: {
        description: 'The name of the step that started the child, with its key after `#`.',
        type: 'string',
      },
      root: { description: 'The id of the execution at the top of the tree.', type: 'string' },
    },
    required: ['id', 'step', 'root'],
  },
  ExecutionQuery: {
    description:
      'Query of `GET api/tenants/:tenant/executions`. An execution has to\nmeet all conditions. Without conditions all executions are listed.\n\nProblem: 400 `INVALID_ARGUMENT` for an invalid condition, limit or cursor.',
    type: 'object',
    properties: {
      workflow: { description: 'The name of the workflow.', type: 'string' },
      status: {
        description: 'The status, or several of which it has one. May be repeated.',
        anyOf: [
          {
            type: 'string',
            enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
          },
          {
            type: 'array',
            items: {
              type: 'string',
              enum: [
                'Pending',
                'Running',
                'Paused',
                'Finishing',
                'Completed',
                'Failed',
                'Cancelled',
              ],
            },
          },
        ],
      },
      tag: {
        description: 'A tag as `name:value`, or several all of which it has. May be repeated.',
        anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
      },
      createdAfter: {
        description: 'The time after which it was created, in ISO 8601.',
        type: 'string',
      },
      createdBefore: {
        description: 'The time before which it was created, in ISO 8601.',
        type: 'string',
      },
      idempotencyKey: { description: 'Its idempotency key.', type: 'string' },
      waitingFor: {
        description: 'The name of a signal or an event that it waits for.',
        type: 'string',
      },
      parent: { description: 'The id of its parent.', type: 'string' },
      root: { description: 'The id of the execution at the top of its tree.', type: 'string' },
      limit: { description: 'The size of the page, 1 to 200. Default: 50.', type: 'number' },
      cursor: {
        description: 'The `nextCursor` of the page before. Default: the first page.',
        type: 'string',
      },
    },
  },
  ExecutionResponse: {
    description:
      'An execution with its tasks and its values: response of `GET api/tenants/:tenant/executions/:id`.\n\nProblem: 404 `UNKNOWN_EXECUTION` if the tenant has no such execution, as for all calls of one execution.',
    type: 'object',
    properties: {
      waitingFor: {
        description: 'What it waits for. Present if it has not ended and none of its tasks runs.',
        $ref: '#/components/schemas/ExecutionWaiting',
      },
      parent: {
        description: 'The execution that started it. Absent if it is not a child.',
        $ref: '#/components/schemas/ExecutionParent',
      },
      context: {
        description:
          'The values of its context by their keys: the final ones if it has ended, otherwise those so far.',
        type: 'object',
        additionalProperties: { $ref: '#/components/schemas/ValueView' },
      },
      tasks: {
        description: 'Its tasks, dependencies before their dependents.',
        type: 'array',
        items: { $ref: '#/components/schemas/TaskRow' },
      },
      graph: {
        description:
          'The graph of the workflow as the running code has it. Absent if this process does not serve the workflow. The execution may\nhave been started by another release, so compare the names of the tasks.',
        $ref: '#/components/schemas/WorkflowGraph',
      },
      actions: {
        description: 'The actions that its status allows now. Empty if the dashboard is read-only.',
        type: 'array',
        items: { type: 'string', enum: ['cancel', 'pause', 'resume', 'retry', 'signal'] },
      },
      workflow: { description: 'The name of the workflow.', type: 'string' },
      reason: {
        description:
          'The reason that the caller gave to `pause` or `cancel`, if the execution is Paused or Cancelled. `expired` if it was\ncancelled because it had not begun before its `startBefore`.',
        type: 'string',
      },
      createdAt: { description: 'When the execution was stored.', type: 'string' },
      status: {
        description: 'The status of the execution.',
        type: 'string',
        enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
      },
      startBefore: {
        description:
          'Until when it must begin. Absent if it may begin at any time, and after it has begun or ended.',
        type: 'string',
      },
      id: { description: 'A UUID (version 7).', type: 'string' },
      idempotencyKey: {
        description: 'The idempotency key that the caller gave to `start`.',
        type: 'string',
      },
      version: {
        description: 'The version of the definition that the execution is pinned to.',
        type: 'string',
      },
      error: {
        description:
          'The error of a Failed execution: its timeout, or else the error of the first task whose failure was not handled.',
        $ref: '#/components/schemas/StoredError',
      },
      failedTask: {
        description:
          'The name of the task whose failure `error` is. Absent after a timeout of the workflow.',
        type: 'string',
      },
      tags: {
        description: 'The tags that the caller gave to `start`. Absent without tags.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
      startedAt: {
        description: 'When a process claimed the first task. Absent until then.',
        type: 'string',
      },
      completedAt: { description: 'The end of the execution. Absent until then.', type: 'string' },
      tenant: { description: 'The name of its tenant.', type: 'string' },
    },
    required: ['context', 'tasks', 'actions', 'workflow', 'createdAt', 'status', 'id', 'tenant'],
  },
  ExecutionRow: {
    description: 'An execution in a list.',
    type: 'object',
    properties: {
      tenant: { description: 'The name of its tenant.', type: 'string' },
      id: { description: 'A UUID (version 7).', type: 'string' },
      workflow: { description: 'The name of the workflow.', type: 'string' },
      version: {
        description: 'The version of the definition that the execution is pinned to.',
        type: 'string',
      },
      status: {
        description: 'The status of the execution.',
        type: 'string',
        enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
      },
      error: {
        description:
          'The error of a Failed execution: its timeout, or else the error of the first task whose failure was not handled.',
        $ref: '#/components/schemas/StoredError',
      },
      failedTask: {
        description:
          'The name of the task whose failure `error` is. Absent after a timeout of the workflow.',
        type: 'string',
      },
      reason: {
        description:
          'The reason that the caller gave to `pause` or `cancel`, if the execution is Paused or Cancelled. `expired` if it was\ncancelled because it had not begun before its `startBefore`.',
        type: 'string',
      },
      waitingFor: {
        description:
          'What the execution waits for. Present if it has not ended and none of its tasks runs.',
        $ref: '#/components/schemas/ExecutionWaiting',
      },
      startBefore: {
        description:
          'Until when it must begin. Absent if it may begin at any time, and after it has begun or ended.',
        type: 'string',
      },
      idempotencyKey: {
        description: 'The idempotency key that the caller gave to `start`.',
        type: 'string',
      },
      tags: {
        description: 'The tags that the caller gave to `start`. Absent without tags.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
      parent: {
        description: 'The execution whose task started this one as a child. Absent for others.',
        $ref: '#/components/schemas/ExecutionParent',
      },
      createdAt: { description: 'When the execution was stored.', type: 'string' },
      startedAt: {
        description: 'When a process claimed the first task. Absent until then.',
        type: 'string',
      },
      completedAt: { description: 'The end of the execution. Absent until then.', type: 'string' },
    },
    required: ['tenant', 'id', 'workflow', 'status', 'createdAt'],
  },
  ExecutionTree: {
    description: 'An execution with the executions under it, as CloacinaRunner.tree  returns it.',
    type: 'object',
    properties: {
      id: { description: 'The id of the execution.', type: 'string' },
      workflow: { description: 'The name of its workflow.', type: 'string' },
      status: {
        description: 'Its status.',
        type: 'string',
        enum: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
      },
      step: {
        description:
          'The name of the step that started it, with its key after `#`. Absent for an execution without a parent.',
        type: 'string',
      },
      children: {
        description: 'The children, oldest first.',
        type: 'array',
        items: { $ref: '#/components/schemas/ExecutionTree' },
      },
      isComplete: {
        description:
          'Whether all children were read. False if the tree is larger than 10,000 executions.',
        type: 'boolean',
      },
    },
    required: ['id', 'workflow', 'status', 'children', 'isComplete'],
  },
  ExecutionWaiting: {
    description:
      'What an execution is waiting for. If several tasks wait, it describes the one that is due first.',
    type: 'object',
    properties: {
      task: {
        description: 'The name of the waiting task. Absent for a Paused execution.',
        type: 'string',
      },
      reason: {
        description:
          "- `dependencies`: other tasks have to end first.\n- `time`: its `runAt`, its `delay` or its next attempt is not due yet.\n- `condition`: the condition of its `deferUntil` was false, and is checked again later.\n- `limit`: it is due, and its limit has no free slot or no token for its key.\n- `turn`: the execution waits for its turn: its admission has no free slot or no token for its key.\n- `slot`: it is due, and no process had a free slot yet.\n- `paused`: the execution is paused.\n- `workflowPaused`: it is due, and its workflow is paused; see `pauseWorkflow`.\n- `handler`: this process has no handler for it.\n- `hungHandler`: an earlier attempt's handler still runs in this process after its signal aborted. Another process\n  may begin the task.\n- `sleep`: the time of its `sleep()` is not over.\n- `signal`, `event`, `child`, `items`: it waits for a message, an execution that it started, or its items.\n- `recovery`: the process that ran it is lost, and no other process has recovered it yet.",
        type: 'string',
        enum: [
          'signal',
          'limit',
          'child',
          'dependencies',
          'time',
          'condition',
          'sleep',
          'event',
          'items',
          'turn',
          'slot',
          'paused',
          'workflowPaused',
          'handler',
          'hungHandler',
          'recovery',
        ],
      },
      detail: { description: 'The same as a sentence for people.', type: 'string' },
      wait: {
        description: 'Name of the wait in the code, for `sleep`, `signal`, `event` and `child`.',
        type: 'string',
      },
      child: {
        description:
          'The id of the execution that it waits for, for `child`. Of several, the first.',
        type: 'string',
      },
      since: {
        description:
          'Since when it waits, for the same. For `workflowPaused`: since when the workflow is paused.',
        type: 'string',
      },
      limit: {
        description: 'The limit and the key, for `limit`. Absent for the `concurrency` of a map.',
        $ref: '#/components/schemas/LimitKeyRef',
      },
      until: {
        description:
          'When the task is due, for `time`, `condition` and `sleep`, and the end of a time limit.',
        type: 'string',
      },
    },
    required: ['reason', 'detail'],
  },
  ExecutionsResponse: {
    description:
      'Response of `GET api/tenants/:tenant/executions`: the newest first.\n\nAbout 10,000 executions are looked at for a page. Of a filter that few executions match, a page may have fewer than `limit` of\nthem, or none, and a `nextCursor`: the next page goes on from there.',
    type: 'object',
    properties: {
      items: {
        description: 'The items of this page, in the order that the call documents.',
        type: 'array',
        items: { $ref: '#/components/schemas/ExecutionRow' },
      },
      nextCursor: {
        description:
          'Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page.',
        anyOf: [{ type: 'null' }, { type: 'string' }],
      },
    },
    required: ['items', 'nextCursor'],
  },
  ExplainResponse: {
    description: 'Why an execution has not ended: response of `GET …/executions/:id/explain`.',
    $ref: '#/components/schemas/ExecutionExplanation',
  },
  FailureGroupRow: {
    description:
      'Failed executions of a tenant with the same cause: workflow, task, name and code of the error, and the message without numbers\nand ids.',
    type: 'object',
    properties: {
      id: {
        description:
          'Names the group in `POST api/tenants/:tenant/failures/:group/retry`. The same for the same cause in every call.',
        type: 'string',
      },
      tenant: { description: 'The name of the tenant.', type: 'string' },
      workflow: { description: 'The name of the workflow.', type: 'string' },
      task: {
        description:
          'The task whose failure ended the executions. Absent for a timeout of the workflow.',
        type: 'string',
      },
      error: {
        description: 'The error of the newest execution, its message cut after 2,000 characters.',
        type: 'object',
        properties: {
          name: {
            description:
              "The error's name, or `NonError` for a thrown value without a name that is not an error.",
            type: 'string',
          },
          message: { description: 'The message, at most 10,000 characters.', type: 'string' },
          code: {
            description: "The error's `code`, if it is a string or a number.",
            type: 'string',
          },
        },
        required: ['name', 'message'],
      },
      message: {
        description: 'The message with `…` in place of numbers, ids and quoted values.',
        type: 'string',
      },
      count: { description: 'The number of executions.', type: 'number' },
      firstAt: { description: 'When the first of the executions ended.', type: 'string' },
      lastAt: { description: 'When the last of the executions ended.', type: 'string' },
      examples: {
        description: 'The ids of the newest executions, at most 10.',
        type: 'array',
        items: { type: 'string' },
      },
    },
    required: [
      'id',
      'tenant',
      'workflow',
      'error',
      'message',
      'count',
      'firstAt',
      'lastAt',
      'examples',
    ],
  },
  FailuresResponse: {
    description:
      'The causes of failures: response of `GET api/failures?tenant=…&workflow=…`. `tenant` may be repeated. Default: all tenants that\nthe user may see.',
    type: 'object',
    properties: {
      groups: {
        description: 'The groups with the most executions first; at most 500.',
        type: 'array',
        items: { $ref: '#/components/schemas/FailureGroupRow' },
      },
      isComplete: {
        description:
          'Whether all Failed executions were read. If not, the counts are lower limits: of each tenant the newest 2,000 are read, and\ntenants that take longer than the page waits are left to the next call.',
        type: 'boolean',
      },
    },
    required: ['groups', 'isComplete'],
  },
  Firing: {
    description:
      'What came of one firing, or of a range of firings that were passed over together.',
    type: 'object',
    properties: {
      scheduledFor: {
        description: 'The instant of the schedule; the first one of a range.',
        type: 'string',
      },
      until: { description: 'The last instant of a range.', type: 'string' },
      count: {
        description:
          'Number of firings in the range, counted to 1,000 unless it is `pruned`; 1 for a single firing.',
        type: 'number',
      },
      outcome: {
        description:
          '- `started`: it started an execution.\n- `caughtUp`: it started one late, because it had been missed.\n- `skipped`: the execution before was still running.\n- `missed`: it was missed, and passed over.\n- `paused`: the schedule was paused.\n- `manual`: `runNow` started it.\n- `backfilled`: `backfill` started it.\n- `pruned`: the records of this range are deleted, because they were older than 30 days.',
        type: 'string',
        enum: [
          'paused',
          'backfilled',
          'caughtUp',
          'manual',
          'missed',
          'pruned',
          'skipped',
          'started',
        ],
      },
      executionId: {
        description: 'The id of the execution that it started; undefined if it started none.',
        type: 'string',
      },
      firedAt: { description: 'When it was recorded.', type: 'string' },
    },
    required: ['scheduledFor', 'count', 'outcome', 'firedAt'],
  },
  FiringsResponse: {
    description:
      'What a schedule did, the latest first: response of `GET …/schedules/:name/firings?before=…&limit=50`. `before` selects firings\nfor times before it, in ISO 8601. Default: all. `limit` is 1 to 200. Default: 50.',
    type: 'object',
    properties: { firings: { type: 'array', items: { $ref: '#/components/schemas/Firing' } } },
    required: ['firings'],
  },
  HistoryResponse: {
    description:
      'What happened to an execution, the oldest first: response of `GET …/executions/:id/history`.',
    type: 'object',
    properties: {
      entries: {
        type: 'array',
        items: {
          anyOf: [
            { $ref: '#/components/schemas/CreatedEntry' },
            { $ref: '#/components/schemas/StartedEntry' },
            { $ref: '#/components/schemas/PauseEntry' },
            { $ref: '#/components/schemas/LegalHoldEntry' },
            { $ref: '#/components/schemas/SignalledEntry' },
            { $ref: '#/components/schemas/RetriedEntry' },
            { $ref: '#/components/schemas/EndedEntry' },
            { $ref: '#/components/schemas/AttemptEntry' },
            { $ref: '#/components/schemas/DeferredEntry' },
            { $ref: '#/components/schemas/StepEntry' },
            { $ref: '#/components/schemas/WaitEntry' },
            { $ref: '#/components/schemas/RecoveredEntry' },
            { $ref: '#/components/schemas/SkippedEntry' },
            { $ref: '#/components/schemas/ChildEntry' },
            { $ref: '#/components/schemas/ConflictEntry' },
          ],
        },
      },
    },
    required: ['entries'],
  },
  ItemFailureRule: {
    description:
      "What the failure of items does to their map:\n\n- `'fail'`: all items run, and one Failed item makes the map Failed.\n- `'failFast'`: the first Failed item cancels the items that have not ended, and the map is Failed.\n- `'continue'`: the map is Completed, whatever its items are.\n- `tolerate`: the map is Failed if more items failed than this: a number of items, or below 1 a share of all.",
    anyOf: [
      { type: 'string', enum: ['fail', 'failFast', 'continue'] },
      { type: 'object', properties: { tolerate: { type: 'number' } }, required: ['tolerate'] },
    ],
  },
  ItemGroup: {
    description: 'The items of a map that have not ended for the same kind of cause.',
    type: 'object',
    properties: {
      kind: {
        description: 'The kind of the cause.',
        type: 'string',
        enum: [
          'signal',
          'rate',
          'limit',
          'child',
          'dependencies',
          'condition',
          'sleep',
          'event',
          'items',
          'turn',
          'paused',
          'workflowPaused',
          'hungHandler',
          'recovery',
          'running',
          'claimed',
          'startTime',
          'backoff',
          'messages',
          'turnRate',
          'noProcess',
          'slots',
          'due',
          'definition',
        ],
      },
      count: { description: 'The number of items.', type: 'number' },
    },
    required: ['kind', 'count'],
  },
  ItemsResponse: {
    description:
      'The items of a map, by their positions: response of `GET …/executions/:id/items/:task?status=Failed&limit=100&after=99`.\n\n`status` selects items with one status. Default: all. `limit` is 1 to 200. Default: 100. `after` is the position behind which\nthe page begins; `nextCursor` is that of the next call.',
    type: 'object',
    properties: {
      items: {
        description: 'The items of this page, in the order that the call documents.',
        type: 'array',
        items: {
          type: 'object',
          properties: {
            status: {
              description: 'The status of the item.',
              type: 'string',
              enum: [
                'Running',
                'Completed',
                'Failed',
                'Cancelled',
                'NotStarted',
                'Ready',
                'Waiting',
                'Skipped',
              ],
            },
            error: {
              description: 'The error of the last failed attempt, unless the item is Completed.',
              $ref: '#/components/schemas/StoredError',
            },
            attempt: {
              description: 'The number of attempts that have begun, including the running one.',
              type: 'number',
            },
            index: {
              description:
                'The position among the items of the map, from 0. With `chunk`, among the chunks.',
              type: 'number',
            },
            item: { $ref: '#/components/schemas/ValueView' },
            value: {
              anyOf: [
                {
                  type: 'object',
                  properties: { bytes: { type: 'number' }, kind: { const: 'json' }, value: {} },
                  required: ['bytes', 'kind', 'value'],
                },
                {
                  type: 'object',
                  properties: {
                    bytes: { type: 'number' },
                    kind: { const: 'cut' },
                    preview: { type: 'string' },
                  },
                  required: ['bytes', 'kind', 'preview'],
                },
                { type: 'object', properties: { kind: { const: 'redacted' } }, required: ['kind'] },
              ],
            },
          },
          required: ['status', 'attempt', 'index', 'item'],
        },
      },
      nextCursor: {
        description:
          'Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page.',
        anyOf: [{ type: 'null' }, { type: 'string' }],
      },
    },
    required: ['items', 'nextCursor'],
  },
  LegalHoldEntry: {
    description: '`legalHold()` or `releaseLegalHold()` changed the execution.',
    type: 'object',
    properties: {
      type: { type: 'string', enum: ['execution.legalHold', 'execution.legalHoldReleased'] },
      at: { type: 'string' },
      reason: { description: 'The reason that the caller gave.', type: 'string' },
      actor: { description: 'The `actor` of the call.', type: 'string' },
    },
    required: ['type', 'at'],
  },
  LimitHolder: {
    description: 'A task that holds a slot of a limit.',
    type: 'object',
    properties: {
      executionId: { description: 'The id of its execution.', type: 'string' },
      task: { description: 'The name of the task.', type: 'string' },
    },
    required: ['executionId', 'task'],
  },
  LimitKeyRef: {
    description: 'A key of a limit. Without `key`, that of a limit whose tasks have no key.',
    type: 'object',
    properties: {
      name: { description: 'The name of the limit.', type: 'string' },
      key: {
        description: 'The value of the key. A number and its text are the same key.',
        anyOf: [{ type: 'string' }, { type: 'number' }],
      },
    },
    required: ['name'],
  },
  LimitRow: { description: 'A key of a limit.', $ref: '#/components/schemas/LimitState' },
  LimitState: {
    description: 'A key of a limit, as it is now.',
    type: 'object',
    properties: {
      name: { description: 'The name of the limit.', type: 'string' },
      key: {
        description: 'The value of the key. Absent if the tasks of the limit have no key.',
        type: 'string',
      },
      inUse: {
        description:
          'The number of tasks that run. Without `concurrency` they are not counted, and it is 0.',
        type: 'number',
      },
      concurrency: {
        description:
          'The number of tasks that may run at a time. Absent for a key of `fairKey` without a number of its own: any number.',
        type: 'number',
      },
      rate: {
        description: 'How many tasks may begin in a time. Absent: any number.',
        $ref: '#/components/schemas/Rate',
      },
      total: {
        description:
          'The number of tasks of all keys of the limit that may run at a time. Absent: any number.',
        type: 'number',
      },
      totalInUse: {
        description:
          'The number of tasks of all keys of the limit that run and count for `total`. Absent without `total`.',
        type: 'number',
      },
      totalHolders: {
        description:
          'The first ten of the tasks of all keys that run and count for `total`. Absent without `total`.',
        type: 'array',
        items: { $ref: '#/components/schemas/LimitHolder' },
      },
      weight: {
        description:
          'The number of tasks that this key begins in a round in which others begin one.',
        type: 'number',
      },
      waiting: {
        description: 'The number of tasks that are due and wait, counted up to 1,000.',
        type: 'number',
      },
      oldest: {
        description:
          'Since when the first of those that are counted has been due. Absent: none waits.',
        type: 'string',
      },
      nextAt: {
        description: 'When the rate allows the next task to begin. Absent: now.',
        type: 'string',
      },
      holders: {
        description: 'The tasks that run.',
        type: 'array',
        items: { $ref: '#/components/schemas/LimitHolder' },
      },
    },
    required: ['name', 'inUse', 'weight', 'waiting', 'holders'],
  },
  LimitsResponse: {
    description:
      'Response of `GET api/tenants/:tenant/limits?name=…&full=true&limit=50&cursor=…`: keys by name and key. With `full=true`, only keys\nthat can begin no task now: about 2,000 keys are looked at, so a page may have fewer keys than `limit` before the last one.',
    type: 'object',
    properties: {
      items: {
        description: 'The items of this page, in the order that the call documents.',
        type: 'array',
        items: { $ref: '#/components/schemas/LimitState' },
      },
      nextCursor: {
        description:
          'Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page.',
        anyOf: [{ type: 'null' }, { type: 'string' }],
      },
    },
    required: ['items', 'nextCursor'],
  },
  MapNode: {
    description: 'A checked map: a task that runs once for each item.',
    type: 'object',
    properties: {
      kind: { description: 'The kind of the node.', const: 'map' },
      workflow: {
        description:
          'The name of the workflow that each item starts. Absent if each item has a handler.',
        type: 'string',
      },
      output: {
        description:
          "The key of a child's context that is the value of its item. Absent: the whole context.",
        type: 'string',
      },
      onParentEnd: {
        description:
          'What happens to children that have not ended when this execution is Cancelled or Failed.',
        type: 'string',
        enum: ['cancel', 'abandon'],
      },
      maxItems: { description: 'The largest number of items.', type: 'number' },
      chunk: {
        description: 'The number of items that the handler gets at a time. Absent: one, by itself.',
        type: 'number',
      },
      concurrency: {
        description:
          'The number of items that run at a time, in all processes. Absent: no limit of its own.',
        type: 'number',
      },
      collect: {
        description:
          'Whether the values of the items are stored in the context, in place of a summary.',
        type: 'boolean',
      },
      onItemFailure: {
        description: 'What the failure of items does to the map.',
        $ref: '#/components/schemas/ItemFailureRule',
      },
    },
    required: ['kind', 'maxItems', 'collect', 'onItemFailure'],
  },
  MoveProgress: {
    description: 'How far a move is.',
    type: 'object',
    properties: {
      phase: {
        type: 'string',
        enum: [
          'copying',
          'stopping',
          'preparing',
          'catchingUp',
          'carrying',
          'switching',
          'validating',
        ],
      },
      tables: {
        description: 'Tables that are copied, and all.',
        type: 'object',
        properties: { done: { type: 'number' }, total: { type: 'number' } },
        required: ['done', 'total'],
      },
      bytes: { description: 'Bytes that were sent so far.', type: 'number' },
      totalBytes: {
        description:
          'The size of all tables on the old server, in bytes. The rows alone may need less.',
        type: 'number',
      },
    },
    required: ['phase', 'tables', 'bytes', 'totalBytes'],
  },
  OpenDependency: {
    description: 'A dependency that has not ended.',
    type: 'object',
    properties: {
      task: { description: 'The name of the task.', type: 'string' },
      status: {
        description: 'Its status.',
        type: 'string',
        enum: [
          'Running',
          'Completed',
          'Failed',
          'Cancelled',
          'NotStarted',
          'Ready',
          'Waiting',
          'Skipped',
        ],
      },
    },
    required: ['task', 'status'],
  },
  Overview: {
    description:
      'All tenants that the user may see, as one page.\n\nResponse of `GET api/overview`, and the data of the event `overview` of `GET api/events`.',
    type: 'object',
    properties: {
      at: { description: 'When the page was made.', type: 'string' },
      counts: {
        description: 'The sums over the tenants that were read.',
        $ref: '#/components/schemas/StatusCounts',
      },
      tenants: { description: 'The number of tenants that the user may see.', type: 'number' },
      tenantsRead: {
        description:
          'How many of them were read. The next event, or the next call, has more of them.',
        type: 'number',
      },
      busiest: {
        description:
          'The tenants to look at first, at most 50: those with a problem, then by Failed and by Running executions.',
        type: 'array',
        items: { $ref: '#/components/schemas/TenantOverview' },
      },
      inTrouble: { description: 'The number of tenants with a `problem`.', type: 'number' },
      oldestDue: {
        description:
          'The tenant with the oldest due task, and since when that is due. Absent if no task is due.',
        type: 'object',
        properties: { tenant: { type: 'string' }, dueSince: { type: 'string' } },
        required: ['tenant', 'dueSince'],
      },
      series: {
        description: 'The last hour of all tenants together.',
        $ref: '#/components/schemas/Series',
      },
      recoveries: {
        description:
          'The tasks of lost processes in the last 24 hours: taken over, and given up because they were lost too often. Of each tenant, the\nnewest 10,000 are read: with `isCapped`, there may be more.',
        type: 'object',
        properties: {
          recovered: { type: 'number' },
          abandoned: { type: 'number' },
          isCapped: { type: 'boolean' },
        },
        required: ['recovered', 'abandoned', 'isCapped'],
      },
      processes: {
        description: 'The living processes, that which answers first.',
        type: 'array',
        items: { $ref: '#/components/schemas/ProcessRow' },
      },
    },
    required: [
      'at',
      'counts',
      'tenants',
      'tenantsRead',
      'busiest',
      'inTrouble',
      'series',
      'recoveries',
      'processes',
    ],
  },
  PauseEntry: {
    description: '`pause()` or `resume()` changed the execution.',
    type: 'object',
    properties: {
      type: { type: 'string', enum: ['execution.paused', 'execution.resumed'] },
      at: { type: 'string' },
      reason: { description: 'The reason that the caller gave to `pause()`.', type: 'string' },
      actor: { description: 'The `actor` of the call.', type: 'string' },
    },
    required: ['type', 'at'],
  },
  PreviewResponse: {
    description:
      'The next times of a schedule, without jitter: response of `GET …/schedules/:name/preview?count=10`. `count` is 1 to 100.\nDefault: 10.',
    type: 'object',
    properties: { times: { type: 'array', items: { type: 'string' } } },
    required: ['times'],
  },
  Problem: {
    description:
      'The body of every response with a status of 400 and above: `application/problem+json`, RFC 9457.\n\nA tenant that the user may not see gets the same problem as one that does not exist: 404 with the code `NOT_FOUND`.',
    type: 'object',
    properties: {
      type: {
        description: 'Always `about:blank`: `code` tells the problems apart.',
        const: 'about:blank',
      },
      title: { description: 'The name of the status, such as `Not found`.', type: 'string' },
      status: { description: 'The HTTP status of the response.', type: 'number' },
      detail: {
        description: 'What is wrong, as a sentence for people. It may change with any version.',
        type: 'string',
      },
      code: {
        description:
          "What is wrong, for programs. The code of the library's error, such as `UNKNOWN_EXECUTION`, or the name of the HTTP status,\nsuch as `FORBIDDEN`. Codes are stable.",
        type: 'string',
      },
    },
    required: ['type', 'title', 'status', 'detail', 'code'],
  },
  ProcessRef: {
    description: 'A process, as reasons name it.',
    type: 'object',
    properties: {
      name: {
        description: 'The name of the process: its host and process number.',
        type: 'string',
      },
      id: { description: 'A UUID that each start of a process makes anew.', type: 'string' },
    },
    required: ['name', 'id'],
  },
  ProcessRow: {
    description:
      'A living process, as far as it serves tenants that the user may see.\n\nIf a process is in different states in its tenants, `state` is one of\nthose in which it claims nothing.',
    type: 'object',
    properties: {
      claimed: {
        description:
          'The number of tasks that it has claimed in these tenants, running or about to run.',
        type: 'number',
      },
      serves: {
        description: 'The names of the workflows that it serves in these tenants.',
        type: 'array',
        items: { type: 'string' },
      },
      tenants: { description: 'The number of these tenants.', type: 'number' },
      tenantNames: {
        description: 'The names of these tenants; of more than 20, the first 20.',
        type: 'array',
        items: { type: 'string' },
      },
      name: {
        description: 'The name of the process: its host and process number.',
        type: 'string',
      },
      state: {
        description:
          '- `claiming`: it takes tasks of the tenant.\n- `paused`: claiming is paused in it.\n- `away`: it has lost its control connection, so it claims nothing.\n- `draining`: it shuts down.',
        type: 'string',
        enum: ['paused', 'away', 'draining', 'claiming'],
      },
      id: { description: 'A UUID that each start of a process makes anew.', type: 'string' },
      since: { description: 'When it began to serve the tenant.', type: 'string' },
      slots: {
        description:
          'The number of tasks of the tenant that it may run at a time: `maxConcurrentTasks`.',
        type: 'number',
      },
      isThis: { description: 'Whether it is the process that explains.', type: 'boolean' },
    },
    required: [
      'claimed',
      'serves',
      'tenants',
      'tenantNames',
      'name',
      'state',
      'id',
      'since',
      'slots',
      'isThis',
    ],
  },
  ProcessesResponse: {
    description: 'Response of `GET api/processes`: all processes.',
    type: 'object',
    properties: {
      items: {
        description: 'The living processes, that which answers first.',
        type: 'array',
        items: { $ref: '#/components/schemas/ProcessRow' },
      },
    },
    required: ['items'],
  },
  Rate: {
    description: 'How many tasks of a key may begin in a time.',
    type: 'object',
    properties: {
      limit: {
        description: 'The number of tasks of each key that may begin in `per`: 1 to 1,000,000.',
        type: 'number',
      },
      per: {
        description: 'The time in which `limit` tasks may begin, at least a millisecond.',
        anyOf: [{ type: 'string' }, { type: 'number' }],
      },
      burst: {
        description:
          'The number of tasks that may begin at once after a quiet time, 1 to 100,000. So at most `limit` + `burst` tasks\nbegin in any time of the length `per`. Default: a tenth of `limit`, at least 1.',
        type: 'number',
      },
    },
    required: ['limit', 'per'],
  },
  ReasonBody: {
    description:
      'Body of `POST …/executions/:id/cancel` and `…/pause`, and of `…/resume`, which has no `reason`.',
    type: 'object',
    properties: {
      reason: {
        description: 'Why, for people. Stored in the history. Default: none.',
        type: 'string',
      },
      tree: {
        description:
          'Whether the executions under it are paused or resumed too. Default: `false`. Not for `cancel`.',
        type: 'boolean',
      },
    },
  },
  RecoveredEntry: {
    description:
      'The task was taken over from a lost process. It is Ready again, or it was lost too often and Failed.',
    type: 'object',
    properties: {
      type: { type: 'string', enum: ['task.recovered', 'task.abandoned'] },
      at: { type: 'string' },
      task: { type: 'string' },
      cause: {
        description: 'Why the process counted as lost, as in `CloacinaRecovery.events()`.',
        type: 'string',
      },
      owner: { description: 'The id of the lost instance.', type: 'string' },
      orphanedForMs: {
        description: 'How long the task had no process, in milliseconds, as far as is known.',
        type: 'number',
      },
    },
    required: ['type', 'at', 'task', 'cause', 'orphanedForMs'],
  },
  RetriedEntry: {
    description: '`retry()` reset the execution.',
    type: 'object',
    properties: {
      type: { const: 'execution.retried' },
      at: { type: 'string' },
      tasks: {
        description: 'The names of the tasks that run again.',
        type: 'array',
        items: { type: 'string' },
      },
      actor: { description: 'The `actor` of the call.', type: 'string' },
    },
    required: ['type', 'at', 'tasks'],
  },
  RetryBody: {
    description: 'Body of `POST …/executions/:id/retry`.',
    type: 'object',
    properties: {
      steps: {
        description: 'Whether the recorded steps of the tasks are kept. Default: `keep`.',
        type: 'string',
        enum: ['keep', 'discard'],
      },
      items: {
        description:
          'Which items of a map run again. Default: `failed`, those that did not complete.',
        type: 'string',
        enum: ['failed', 'all'],
      },
    },
  },
  RetryGroupBody: {
    description:
      'Body of `POST api/tenants/:tenant/failures/:group/retry`: retries the executions of a group of failures.\n\nProblem: 404 `UNKNOWN_FAILURES` if the tenant no longer has such a group.',
    type: 'object',
    properties: {
      dryRun: {
        description: '`true`: only `matched` is counted, and nothing is changed. Default: `false`.',
        type: 'boolean',
      },
    },
  },
  ScheduleBody: {
    description:
      'Body of `POST …/schedules/:name/pause` (`reason`) and `/resume` (`catchUp`). That of `/run` is `{}`.',
    type: 'object',
    properties: {
      reason: { description: 'Why, for people. Default: none.', type: 'string' },
      catchUp: {
        description:
          'What to make up for of the firings in the pause: nothing, or the latest. Default: `skip`.',
        type: 'string',
        enum: ['skip', 'once'],
      },
    },
  },
  ScheduleFailure: {
    description: 'Why a schedule could not fire.',
    type: 'object',
    properties: {
      kind: {
        description:
          '- `unknownWorkflow`: no process that serves the tenant has its workflow.\n- `invalidInput`: the workflow refuses its input.\n- `invalidSpec`: its spec is no longer valid, for example because its time zone no longer exists.',
        type: 'string',
        enum: ['invalidInput', 'invalidSpec', 'unknownWorkflow'],
      },
      message: { description: 'The cause, as a sentence for people.', type: 'string' },
      at: { description: 'When it could not fire.', type: 'string' },
    },
    required: ['kind', 'message', 'at'],
  },
  ScheduleRow: {
    description:
      'A schedule: response of `GET api/tenants/:tenant/schedules/:name`.\n\nProblem: 404 `UNKNOWN_SCHEDULE` if the tenant has no such schedule, as for all calls of one schedule.',
    type: 'object',
    properties: {
      name: { description: 'The name of the schedule, unique in the tenant.', type: 'string' },
      workflow: { description: 'The name of the workflow that it starts.', type: 'string' },
      spec: {
        description: 'When it fires, and its policies.',
        $ref: '#/components/schemas/ScheduleSpec',
      },
      origin: {
        description: '`code`: declared by `@Schedule`. `api`: made by `create`.',
        type: 'string',
        enum: ['code', 'api'],
      },
      state: {
        description:
          "- `active`: it fires.\n- `paused`: it does not fire until it is resumed.\n- `ended`: no firing is left.\n- `broken`: it can't fire; `reason` says why. It continues when that is mended.",
        type: 'string',
        enum: ['paused', 'active', 'broken', 'ended'],
      },
      reason: { description: 'Why it is paused or broken.', type: 'string' },
      lastError: {
        description:
          'Why it could not fire the last time that it was due; undefined if it could, or was changed since. Unlike `reason`, it stays\nwhen a process tries again.',
        $ref: '#/components/schemas/ScheduleFailure',
      },
      nextAt: {
        description: 'The next instant that it fires for; undefined if none is left.',
        type: 'string',
      },
      lastFiredFor: { description: 'The instant that it fired for last.', type: 'string' },
      lastExecutionId: { description: 'The execution that it started last.', type: 'string' },
      createdAt: { description: 'When it was created.', type: 'string' },
      updatedAt: {
        description: 'When it was last changed or resumed. Firings do not count.',
        type: 'string',
      },
      input: {
        description: 'The input of its executions. Absent if it has none.',
        anyOf: [
          {
            type: 'object',
            properties: { bytes: { type: 'number' }, kind: { const: 'json' }, value: {} },
            required: ['bytes', 'kind', 'value'],
          },
          {
            type: 'object',
            properties: {
              bytes: { type: 'number' },
              kind: { const: 'cut' },
              preview: { type: 'string' },
            },
            required: ['bytes', 'kind', 'preview'],
          },
          { type: 'object', properties: { kind: { const: 'redacted' } }, required: ['kind'] },
        ],
      },
    },
    required: ['name', 'workflow', 'spec', 'origin', 'state', 'createdAt', 'updatedAt'],
  },
  ScheduleSpec: {
    description:
      'When a schedule fires, and how. Exactly one of `cron`, `every` and `at` is given.',
    type: 'object',
    properties: {
      cron: {
        description:
          'A cron expression of 5 fields, or of 6 with seconds first, or a nickname: `@hourly`, `@daily`, `@weekly`, `@monthly`,\n`@yearly`. `L`, `#` and `W` are supported.\n\nAn expression that allows every hour counts elapsed time. Any other fires once for each local time: at the change of\nthe clock if the time is skipped that day, and the first time if it is repeated.',
        type: 'string',
      },
      every: {
        description:
          'The time between firings, at least a second. Changes of the clock do not matter.',
        anyOf: [{ type: 'string' }, { type: 'number' }],
      },
      at: { description: 'One firing at this instant.', type: 'string' },
      timezone: {
        description:
          'The IANA name of the time zone of `cron`, such as `Europe/Lisbon`. Default: `UTC`.',
        type: 'string',
      },
      aligned: {
        description:
          "Whether `every` counts from 1970 in UTC, so that `'15m'` fires at :00, :15, :30 and :45. Default: it counts from\n`startAt`, or from the creation of the schedule.",
        type: 'boolean',
      },
      startAt: { description: 'No firing is before it.', type: 'string' },
      endAt: { description: 'No firing is after it.', type: 'string' },
      jitter: {
        description:
          'Each firing is late by up to this, at most a day, so that many schedules do not fire at one instant. Default: 0.',
        anyOf: [{ type: 'string' }, { type: 'number' }],
      },
      catchUp: {
        description: "What happens to missed firings. Default: `'once'`.",
        anyOf: [
          { type: 'string', enum: ['skip', 'once'] },
          { type: 'object', properties: { all: { type: 'number' } }, required: ['all'] },
        ],
      },
      catchUpWindow: {
        description: "Firings that were missed by more than this are passed over. Default: `'1d'`.",
        anyOf: [{ type: 'string' }, { type: 'number' }],
      },
      overlap: {
        description:
          "What happens to a firing while the execution before still runs. Default: `'skip'`.",
        type: 'string',
        enum: ['skip', 'allow', 'cancelPrevious', 'queue'],
      },
      startBefore: {
        description:
          'Cancels an execution of the schedule that has not begun within this time after it was started, for example because it\nwaits for its turn or for a free slot. Those of a backfill wait as long as they must. Default: it waits as long as it must.',
        anyOf: [{ type: 'string' }, { type: 'number' }],
      },
      pauseAfterFailures: {
        description:
          'Pauses the schedule when this many of its executions have failed one after the other. Default: never.',
        type: 'number',
      },
    },
  },
  SchedulesResponse: {
    description:
      'Response of `GET api/tenants/:tenant/schedules?workflow=…&state=…&limit=50&after=…`: schedules by name. `state` is `active`,\n`paused`, `ended` or `broken`, `limit` is 1 to 200. Default: 50. `nextCursor` is the `after` of the next call.',
    type: 'object',
    properties: {
      items: {
        description: 'The items of this page, in the order that the call documents.',
        type: 'array',
        items: {
          type: 'object',
          properties: {
            name: {
              description: 'The name of the schedule, unique in the tenant.',
              type: 'string',
            },
            workflow: { description: 'The name of the workflow that it starts.', type: 'string' },
            spec: {
              description: 'When it fires, and its policies.',
              $ref: '#/components/schemas/ScheduleSpec',
            },
            origin: {
              description: '`code`: declared by `@Schedule`. `api`: made by `create`.',
              type: 'string',
              enum: ['code', 'api'],
            },
            state: {
              description:
                "- `active`: it fires.\n- `paused`: it does not fire until it is resumed.\n- `ended`: no firing is left.\n- `broken`: it can't fire; `reason` says why. It continues when that is mended.",
              type: 'string',
              enum: ['paused', 'active', 'broken', 'ended'],
            },
            reason: { description: 'Why it is paused or broken.', type: 'string' },
            lastError: {
              description:
                'Why it could not fire the last time that it was due; undefined if it could, or was changed since. Unlike `reason`, it stays\nwhen a process tries again.',
              $ref: '#/components/schemas/ScheduleFailure',
            },
            nextAt: {
              description: 'The next instant that it fires for; undefined if none is left.',
              type: 'string',
            },
            lastFiredFor: { description: 'The instant that it fired for last.', type: 'string' },
            lastExecutionId: { description: 'The execution that it started last.', type: 'string' },
            createdAt: { description: 'When it was created.', type: 'string' },
            updatedAt: {
              description: 'When it was last changed or resumed. Firings do not count.',
              type: 'string',
            },
            input: {
              description: 'The input of its executions. Absent if it has none.',
              anyOf: [
                {
                  type: 'object',
                  properties: { bytes: { type: 'number' }, kind: { const: 'json' }, value: {} },
                  required: ['bytes', 'kind', 'value'],
                },
                {
                  type: 'object',
                  properties: {
                    bytes: { type: 'number' },
                    kind: { const: 'cut' },
                    preview: { type: 'string' },
                  },
                  required: ['bytes', 'kind', 'preview'],
                },
                { type: 'object', properties: { kind: { const: 'redacted' } }, required: ['kind'] },
              ],
            },
          },
          required: ['name', 'workflow', 'spec', 'origin', 'state', 'createdAt', 'updatedAt'],
        },
      },
      nextCursor: {
        description:
          'Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page.',
        anyOf: [{ type: 'null' }, { type: 'string' }],
      },
    },
    required: ['items', 'nextCursor'],
  },
  Series: {
    description:
      'Executions over time.\n\nResponse of `GET api/series?range=hour&tenant=…&workflow=…`. `range` is `hour` (60 buckets of a minute) or `day` (96 buckets\nof a quarter of an hour). Default: `hour`. `tenant` may be repeated. Default: all tenants that the user may see.',
    type: 'object',
    properties: {
      range: {
        description: 'The range that was asked for.',
        type: 'string',
        enum: ['hour', 'day'],
      },
      bucketMs: { description: 'The length of a bucket, in milliseconds.', type: 'number' },
      buckets: {
        description:
          'The buckets, the oldest first, also those without executions. The last one is not over.',
        type: 'array',
        items: { $ref: '#/components/schemas/SeriesBucket' },
      },
      isComplete: {
        description:
          'Whether all tenants and all of their executions were read. If not, the numbers are lower limits.',
        type: 'boolean',
      },
      completeSince: {
        description:
          'The time since which all executions were read, if there were too many to read them all; see `runner.statistics`.',
        type: 'string',
      },
    },
    required: ['range', 'bucketMs', 'buckets', 'isComplete'],
  },
  SeriesBucket: {
    description: 'The executions that were created in one part of the time.',
    type: 'object',
    properties: {
      at: { description: 'The begin of this part of the time.', type: 'string' },
      started: { description: 'The number of executions that were created in it.', type: 'number' },
      completed: { description: 'How many of these are Completed by now.', type: 'number' },
      failed: { description: 'How many of these are Failed by now.', type: 'number' },
      cancelled: { description: 'How many of these are Cancelled by now.', type: 'number' },
      medianMs: {
        description:
          'The median duration of the Completed ones, from the begin of their first task to their end, in milliseconds. Of several\ntenants, the largest of their medians. Null if none is Completed.',
        anyOf: [{ type: 'null' }, { type: 'number' }],
      },
      p95Ms: {
        description:
          'The 95th percentile of the same durations, in milliseconds. Of several tenants, the largest. Null if none is Completed.',
        anyOf: [{ type: 'null' }, { type: 'number' }],
      },
    },
    required: ['at', 'started', 'completed', 'failed', 'cancelled', 'medianMs', 'p95Ms'],
  },
  ServingProcess: {
    description: 'A living process that serves the tenant.',
    type: 'object',
    properties: {
      name: {
        description: 'The name of the process: its host and process number.',
        type: 'string',
      },
      id: { description: 'A UUID that each start of a process makes anew.', type: 'string' },
      isThis: { description: 'Whether it is the process that explains.', type: 'boolean' },
      state: {
        description:
          '- `claiming`: it takes tasks of the tenant.\n- `paused`: claiming is paused in it.\n- `away`: it has lost its control connection, so it claims nothing.\n- `draining`: it shuts down.',
        type: 'string',
        enum: ['paused', 'away', 'draining', 'claiming'],
      },
      serves: {
        description:
          'The names of the workflows that it serves for the tenant, by name; of more than 100, the first 100.',
        type: 'array',
        items: { type: 'string' },
      },
      slots: {
        description:
          'The number of tasks of the tenant that it may run at a time: `maxConcurrentTasks`.',
        type: 'number',
      },
      claimed: {
        description:
          'The number of tasks of the tenant that it has claimed, running or about to run.',
        type: 'number',
      },
      since: { description: 'When it began to serve the tenant.', type: 'string' },
    },
    required: ['name', 'id', 'isThis', 'state', 'serves', 'slots', 'claimed', 'since'],
  },
  Session: {
    description: 'Response of `GET api/session`: what the user of the request may do.',
    type: 'object',
    properties: {
      actor: {
        description:
          'Who the user is, as the option `actor` says. Absent without the option, or if it returns no name.',
        type: 'string',
      },
      readOnly: {
        description: 'Whether all actions are refused, by the option `readOnly`.',
        type: 'boolean',
      },
      tenants: { description: 'The number of tenants that the user may see.', type: 'number' },
      tenantNames: {
        description:
          'The names of these tenants, in alphabetical order; of more than 1,000, the first 1,000.',
        type: 'array',
        items: { type: 'string' },
      },
      pollMs: {
        description:
          'The time between two reads of a page that gets no server-sent events, in milliseconds.',
        type: 'number',
      },
    },
    required: ['readOnly', 'tenants', 'tenantNames', 'pollMs'],
  },
  SignalBody: {
    description:
      'Body of `POST …/executions/:id/signal`. If the running code defines the signal, its schema checks the payload.\n\nProblem: 400 `INVALID_CONTEXT` for a payload that the schema refuses.',
    type: 'object',
    properties: {
      name: { description: 'The name of the signal.', type: 'string' },
      payload: { description: 'The payload, any JSON.' },
      idempotencyKey: {
        description: 'A later signal with this key and name is dropped. Default: none.',
        type: 'string',
      },
    },
    required: ['name', 'payload'],
  },
  SignalledEntry: {
    description:
      '`signal()` was called with an `actor`. Other signals are seen in the waits that took them.',
    type: 'object',
    properties: {
      type: { const: 'execution.signalled' },
      at: { type: 'string' },
      signal: { description: 'The name of the signal.', type: 'string' },
      actor: { description: 'The `actor` of the call.', type: 'string' },
    },
    required: ['type', 'at', 'signal'],
  },
  SkippedEntry: {
    description: 'The task was skipped; `skipReason` says why.',
    type: 'object',
    properties: {
      type: { const: 'task.skipped' },
      at: { type: 'string' },
      task: { type: 'string' },
      skipReason: {
        description: 'Why it was skipped. Absent if that was not stored.',
        type: 'string',
        enum: ['rule', 'upstreamFailure', 'timeout'],
      },
    },
    required: ['type', 'at', 'task'],
  },
  StartedEntry: {
    description:
      'The first task was claimed. The event `execution.started` of `events$` is earlier: it tells what CreatedEntry does.',
    type: 'object',
    properties: { type: { const: 'execution.started' }, at: { type: 'string' } },
    required: ['type', 'at'],
  },
  StatusCounts: {
    description: 'The number of executions with each status.',
    type: 'object',
    properties: {
      Pending: { $ref: '#/components/schemas/CappedCount' },
      Running: { $ref: '#/components/schemas/CappedCount' },
      Paused: { $ref: '#/components/schemas/CappedCount' },
      Finishing: { $ref: '#/components/schemas/CappedCount' },
      Completed: { $ref: '#/components/schemas/CappedCount' },
      Failed: { $ref: '#/components/schemas/CappedCount' },
      Cancelled: { $ref: '#/components/schemas/CappedCount' },
    },
    required: ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'],
  },
  StepEntry: {
    description:
      'A step of a task, with its recorded result. `at` is the start of its work in the run that recorded it.',
    type: 'object',
    properties: {
      type: { const: 'task.step' },
      at: { type: 'string' },
      task: { type: 'string' },
      step: { description: 'The name in the code, with `#key` and `@version`.', type: 'string' },
      endedAt: { description: 'When the result was recorded.', type: 'string' },
      durationMs: {
        description: 'The time from the start to the record, in milliseconds.',
        type: 'number',
      },
    },
    required: ['type', 'at', 'task', 'step', 'endedAt', 'durationMs'],
  },
  StoredError: {
    description:
      "An error in the form in which the tenant's schema stores it and `get()` returns it.",
    type: 'object',
    properties: {
      name: {
        description:
          "The error's name, or `NonError` for a thrown value without a name that is not an error.",
        type: 'string',
      },
      message: { description: 'The message, at most 10,000 characters.', type: 'string' },
      code: { description: "The error's `code`, if it is a string or a number.", type: 'string' },
      stack: {
        description: 'The stack, followed by those of the causes; at most 20,000 characters.',
        type: 'string',
      },
      status: { description: 'The HTTP status, if the error has one.', type: 'number' },
      response: {
        description:
          "The body of the failed HTTP request's response: at most 2,000 characters of text or JSON.",
        type: 'string',
      },
      cause: {
        description:
          "The error's `cause`, at most five levels deep. Its stack is part of the outermost `stack`.",
        $ref: '#/components/schemas/StoredError',
      },
      errors: {
        description: 'The first five errors of an AggregateError.',
        type: 'array',
        items: { $ref: '#/components/schemas/StoredError' },
      },
    },
    required: ['name', 'message'],
  },
  TaskAttempt: {
    description: 'A recorded attempt of a task.',
    type: 'object',
    properties: {
      attempt: { description: 'The number of the attempt, from 1.', type: 'number' },
      startedAt: { description: 'The start of the attempt.', type: 'string' },
      completedAt: { description: 'The end of the attempt.', type: 'string' },
      durationMs: {
        description: 'The time from the start to the end, in milliseconds.',
        type: 'number',
      },
      error: {
        description: 'Absent for the attempt that completed the task.',
        $ref: '#/components/schemas/StoredError',
      },
    },
    required: ['attempt', 'startedAt', 'completedAt', 'durationMs'],
  },
  TaskExplanation: {
    description: 'Why a task, or an item of a map, has not ended.',
    type: 'object',
    properties: {
      task: { description: 'The name of the task.', type: 'string' },
      item: {
        description: 'The number of the item, from 1, if this is an item of a map.',
        type: 'number',
      },
      status: {
        description: 'The status of the task.',
        type: 'string',
        enum: [
          'Running',
          'Completed',
          'Failed',
          'Cancelled',
          'NotStarted',
          'Ready',
          'Waiting',
          'Skipped',
        ],
      },
      attempt: {
        description: 'The number of attempts that have begun, including the running one.',
        type: 'number',
      },
      error: {
        description: 'The error of the last failed attempt. Absent if no attempt has failed.',
        $ref: '#/components/schemas/StoredError',
      },
      reason: {
        description: 'The cause, for programs. `reason.kind` tells which properties it has.',
        anyOf: [
          {
            type: 'object',
            properties: {
              kind: { const: 'running' },
              process: { $ref: '#/components/schemas/ProcessRef' },
              since: { type: 'string' },
              timeoutAt: {
                description: 'When its attempt times out. Absent without a timeout.',
                type: 'string',
              },
            },
            required: ['kind', 'process', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'claimed' },
              process: { $ref: '#/components/schemas/ProcessRef' },
            },
            required: ['kind', 'process'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'hungHandler' },
              process: { $ref: '#/components/schemas/ProcessRef' },
              ignoredForMs: {
                description:
                  'Time since the signal of the handler aborted or since its timeout, in milliseconds.',
                type: 'number',
              },
              keepsSlot: { type: 'boolean' },
            },
            required: ['kind', 'process', 'ignoredForMs'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'dependencies' },
              open: { type: 'array', items: { $ref: '#/components/schemas/OpenDependency' } },
              count: { type: 'number' },
            },
            required: ['kind', 'open', 'count'],
          },
          {
            type: 'object',
            properties: { kind: { const: 'startTime' }, until: { type: 'string' } },
            required: ['kind', 'until'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'backoff' },
              until: { type: 'string' },
              attempt: { type: 'number' },
              maxAttempts: { type: 'number' },
              error: { $ref: '#/components/schemas/StoredError' },
            },
            required: ['kind', 'until', 'attempt', 'maxAttempts'],
          },
          {
            type: 'object',
            properties: { kind: { const: 'condition' }, until: { type: 'string' } },
            required: ['kind', 'until'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'sleep' },
              wait: { type: 'string' },
              since: { type: 'string' },
              until: { type: 'string' },
            },
            required: ['kind', 'wait', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'signal' },
              wait: { type: 'string' },
              signal: { type: 'string' },
              since: { type: 'string' },
              until: { type: 'string' },
            },
            required: ['kind', 'wait', 'signal', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'event' },
              wait: { type: 'string' },
              event: { type: 'string' },
              key: { type: 'string' },
              since: { type: 'string' },
              until: { type: 'string' },
            },
            required: ['kind', 'wait', 'event', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'messages' },
              wait: { type: 'string' },
              names: { type: 'array', items: { type: 'string' } },
              since: { type: 'string' },
              until: { type: 'string' },
            },
            required: ['kind', 'wait', 'names', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'child' },
              wait: { type: 'string' },
              since: { type: 'string' },
              child: {
                description: 'Of several children, the first that is open.',
                type: 'string',
              },
              workflow: { type: 'string' },
              status: {
                description: 'Absent if the child was deleted.',
                type: 'string',
                enum: [
                  'Pending',
                  'Running',
                  'Paused',
                  'Finishing',
                  'Completed',
                  'Failed',
                  'Cancelled',
                ],
              },
              until: { type: 'string' },
            },
            required: ['kind', 'wait', 'since', 'child'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'items' },
              total: { type: 'number' },
              completed: { type: 'number' },
              failed: { type: 'number' },
              open: { type: 'number' },
              isComplete: {
                description:
                  'Whether all items are known. While a map still reads its items, `total` grows.',
                type: 'boolean',
              },
              groups: {
                description:
                  'The open items by cause, the most frequent first. Their sum may differ a little from `open` while items end.',
                type: 'array',
                items: { $ref: '#/components/schemas/ItemGroup' },
              },
              isCapped: {
                description:
                  'Whether items are missing in `groups`. An explanation looks at 100,000 items; if the maps of the execution have more, at\nthe first and the last ones of each map.',
                type: 'boolean',
              },
            },
            required: [
              'kind',
              'total',
              'completed',
              'failed',
              'open',
              'isComplete',
              'groups',
              'isCapped',
            ],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'limit' },
              scope: { type: 'string', enum: ['key', 'total', 'map'] },
              limit: {
                description: 'Absent for the `concurrency` of a map.',
                $ref: '#/components/schemas/LimitKeyRef',
              },
              inUse: { type: 'number' },
              concurrency: { type: 'number' },
              holders: {
                description: 'Tasks that hold the slots; of more than 10, the first 10.',
                type: 'array',
                items: { $ref: '#/components/schemas/LimitHolder' },
              },
              waiting: {
                description: 'The number of due tasks that wait for the key, counted up to 1,000.',
                type: 'number',
              },
            },
            required: ['kind', 'scope', 'inUse', 'concurrency', 'holders', 'waiting'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'rate' },
              limit: { $ref: '#/components/schemas/LimitKeyRef' },
              until: { type: 'string' },
            },
            required: ['kind', 'limit', 'until'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'turn' },
              workflow: { type: 'string' },
              key: {
                description:
                  'The key of the admission. Absent if all executions of the workflow share one key.',
                type: 'string',
              },
              schedule: {
                description: 'The schedule whose executions take turns, in place of an admission.',
                type: 'string',
              },
              concurrency: { type: 'number' },
              holders: {
                description: 'The executions that have the slots; of more than 10, the first 10.',
                type: 'array',
                items: { type: 'string' },
              },
              inUse: { type: 'number' },
              waiting: {
                description: 'The number of due executions that wait, counted up to 1,000.',
                type: 'number',
              },
            },
            required: ['kind', 'workflow', 'concurrency', 'holders', 'inUse', 'waiting'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'turnRate' },
              workflow: { type: 'string' },
              key: { type: 'string' },
              schedule: { type: 'string' },
              until: { type: 'string' },
            },
            required: ['kind', 'workflow', 'until'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'paused' },
              reason: { type: 'string' },
              actor: { type: 'string' },
            },
            required: ['kind'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'workflowPaused' },
              workflow: { type: 'string' },
              reason: { type: 'string' },
              actor: { type: 'string' },
              since: { type: 'string' },
            },
            required: ['kind', 'workflow', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'noProcess' },
              workflow: { type: 'string' },
              processes: { type: 'array', items: { $ref: '#/components/schemas/UnableProcess' } },
            },
            required: ['kind', 'workflow', 'processes'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'slots' },
              since: { type: 'string' },
              processes: {
                type: 'array',
                items: {
                  type: 'object',
                  properties: {
                    name: {
                      description: 'The name of the process: its host and process number.',
                      type: 'string',
                    },
                    id: {
                      description: 'A UUID that each start of a process makes anew.',
                      type: 'string',
                    },
                    slots: { type: 'number' },
                    claimed: { type: 'number' },
                  },
                  required: ['name', 'id', 'slots', 'claimed'],
                },
              },
            },
            required: ['kind', 'since', 'processes'],
          },
          {
            type: 'object',
            properties: { kind: { const: 'due' }, since: { type: 'string' } },
            required: ['kind', 'since'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'recovery' },
              process: { $ref: '#/components/schemas/ProcessRef' },
              cause: { type: 'string', enum: ['lockGone', 'leaseOver', 'noLease'] },
            },
            required: ['kind', 'cause'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'definition' },
              definitionId: { type: 'string' },
              message: { type: 'string' },
            },
            required: ['kind', 'definitionId', 'message'],
          },
        ],
      },
      text: { description: 'The same as a sentence for people.', type: 'string' },
    },
    required: ['task', 'status', 'attempt', 'reason', 'text'],
  },
  TaskItems: {
    description: 'How far a map is.',
    type: 'object',
    properties: {
      total: {
        description: 'The number of items so far; with `chunk`, of chunks.',
        type: 'number',
      },
      completed: { description: 'The number of Completed items.', type: 'number' },
      failed: { description: 'The number of items that Failed or were Cancelled.', type: 'number' },
      open: { description: 'The number of items that have not ended.', type: 'number' },
      isComplete: {
        description:
          'Whether all items are known. While a map still reads its items, `total` grows.',
        type: 'boolean',
      },
    },
    required: ['total', 'completed', 'failed', 'open', 'isComplete'],
  },
  TaskRow: {
    description: 'A task of an execution.',
    type: 'object',
    properties: {
      progress: {
        description:
          'The progress that its latest run has reported. Absent if it has reported none, and after its end.',
        type: 'object',
        properties: {
          value: { $ref: '#/components/schemas/ValueView' },
          updatedAt: { type: 'string' },
        },
        required: ['value', 'updatedAt'],
      },
      name: { description: 'The name of the task.', type: 'string' },
      status: {
        description: 'The status of the task.',
        type: 'string',
        enum: [
          'Running',
          'Completed',
          'Failed',
          'Cancelled',
          'NotStarted',
          'Ready',
          'Waiting',
          'Skipped',
        ],
      },
      kind: {
        description: '`task` has a handler. The others are nodes: `wait`, `sleep` and `child`.',
        type: 'string',
        enum: ['task', 'wait', 'child', 'sleep', 'map'],
      },
      waitingFor: {
        description: 'What the task waits for. Absent if it runs or has ended.',
        $ref: '#/components/schemas/TaskWaiting',
      },
      error: {
        description:
          'The error of the last failed attempt, also while the task waits for its next attempt.',
        $ref: '#/components/schemas/StoredError',
      },
      startedAt: {
        description:
          'The start of the latest attempt. Of a Cancelled task: of the attempt that the cancellation cut off, if there was one.',
        type: 'string',
      },
      completedAt: { description: 'The end of the task. Absent until then.', type: 'string' },
      items: {
        description:
          'How far a map is, from counters of its row. Absent for other tasks, and for a map without items.',
        $ref: '#/components/schemas/TaskItems',
      },
      attempt: {
        description: 'The number of attempts that have begun, including the running one.',
        type: 'number',
      },
      attempts: {
        description: 'The last 20 attempts that have ended, oldest first.',
        type: 'array',
        items: { $ref: '#/components/schemas/TaskAttempt' },
      },
      recoveryAttempts: {
        description: 'How often the task was recovered from a lost process.',
        type: 'number',
      },
      skipReason: {
        description: 'Why the task was skipped, if it is Skipped.',
        type: 'string',
        enum: ['rule', 'upstreamFailure', 'timeout'],
      },
      steps: {
        description:
          'The steps and waits of the task that are recorded, oldest first; of more than 100, the newest 100. Absent if there are\nnone, and in the results of `execute()` and `result()`.',
        type: 'array',
        items: { $ref: '#/components/schemas/TaskStep' },
      },
    },
    required: ['name', 'status', 'kind', 'attempt', 'attempts', 'recoveryAttempts'],
  },
  TaskStep: {
    description: 'A named checkpoint of a task: a `step()`, or a wait such as `sleep()`.',
    type: 'object',
    properties: {
      name: { description: 'The name in the code, with `#key` and `@version`.', type: 'string' },
      kind: {
        description: 'What it is: a `step()`, or a wait for a time, a message or a child.',
        type: 'string',
        enum: ['signal', 'child', 'sleep', 'event', 'step'],
      },
      status: {
        description: '`Open`: a wait that is not over.',
        type: 'string',
        enum: ['Failed', 'Open', 'Done', 'TimedOut'],
      },
      startedAt: {
        description:
          'When a wait began. Of a step: when its function was called, in the run that recorded the result.',
        type: 'string',
      },
      completedAt: { description: 'Absent while a wait is open.', type: 'string' },
      durationMs: {
        description:
          'The time from the start to the end, in milliseconds. Absent while a wait is open.',
        type: 'number',
      },
      until: { description: 'The end of a sleep, or of the time limit of a wait.', type: 'string' },
      result: {
        description:
          'What the step returned. Only with `stepResults: true`, and absent for a step without a result.',
      },
    },
    required: ['name', 'kind', 'status', 'startedAt'],
  },
  TaskWaiting: {
    description: 'What a task is waiting for.',
    type: 'object',
    properties: {
      reason: {
        description:
          "- `dependencies`: other tasks have to end first.\n- `time`: its `runAt`, its `delay` or its next attempt is not due yet.\n- `condition`: the condition of its `deferUntil` was false, and is checked again later.\n- `limit`: it is due, and its limit has no free slot or no token for its key.\n- `turn`: the execution waits for its turn: its admission has no free slot or no token for its key.\n- `slot`: it is due, and no process had a free slot yet.\n- `paused`: the execution is paused.\n- `workflowPaused`: it is due, and its workflow is paused; see `pauseWorkflow`.\n- `handler`: this process has no handler for it.\n- `hungHandler`: an earlier attempt's handler still runs in this process after its signal aborted. Another process\n  may begin the task.\n- `sleep`: the time of its `sleep()` is not over.\n- `signal`, `event`, `child`, `items`: it waits for a message, an execution that it started, or its items.\n- `recovery`: the process that ran it is lost, and no other process has recovered it yet.",
        type: 'string',
        enum: [
          'signal',
          'limit',
          'child',
          'dependencies',
          'time',
          'condition',
          'sleep',
          'event',
          'items',
          'turn',
          'slot',
          'paused',
          'workflowPaused',
          'handler',
          'hungHandler',
          'recovery',
        ],
      },
      detail: { description: 'The same as a sentence for people.', type: 'string' },
      wait: {
        description: 'Name of the wait in the code, for `sleep`, `signal`, `event` and `child`.',
        type: 'string',
      },
      child: {
        description:
          'The id of the execution that it waits for, for `child`. Of several, the first.',
        type: 'string',
      },
      since: {
        description:
          'Since when it waits, for the same. For `workflowPaused`: since when the workflow is paused.',
        type: 'string',
      },
      limit: {
        description: 'The limit and the key, for `limit`. Absent for the `concurrency` of a map.',
        $ref: '#/components/schemas/LimitKeyRef',
      },
      until: {
        description:
          'When the task is due, for `time`, `condition` and `sleep`, and the end of a time limit.',
        type: 'string',
      },
    },
    required: ['reason', 'detail'],
  },
  TenantMoveRow: {
    description: 'A move of a tenant to another server that is not complete.',
    type: 'object',
    properties: {
      state: {
        description:
          '`copying`: its rows are copied, and it works as usual. `stopping`: its work has stopped until the move ends or is undone.\n`moved`: it lives on the other server, where the process that answers does not serve it yet. `arriving`: it is served from a\ncopy that is not complete.',
        type: 'string',
        enum: ['copying', 'stopping', 'moved', 'arriving'],
      },
      peer: {
        description:
          'The name of the other server. Absent if the user may see some tenants only, and none of these lives there.',
        type: 'string',
      },
      since: { description: 'Since when the move is in this state.', type: 'string' },
      isInterrupted: {
        description:
          'Whether no process carries the move out. `problem` of the tenant says what to do.',
        type: 'boolean',
      },
      undoneAt: {
        description:
          'When the processes of the tenant undo a stop whose mover has ended. Absent in other states.',
        type: 'string',
      },
      progress: {
        description: 'How far the move is. Absent if another process moves the tenant.',
        $ref: '#/components/schemas/MoveProgress',
      },
    },
    required: ['state', 'since', 'isInterrupted'],
  },
  TenantOverview: {
    description:
      'The state of a tenant: a row of a list, and the response of `GET api/tenants/:tenant`.',
    type: 'object',
    properties: {
      tenant: { description: 'The name of the tenant.', type: 'string' },
      server: {
        description: 'The name of its server. Absent without the option `servers` of forRoot.',
        type: 'string',
      },
      counts: {
        description:
          'The number of executions with each status. Absent if the tenant has not been read yet, or could not be read.',
        $ref: '#/components/schemas/StatusCounts',
      },
      oldestDue: {
        description:
          'Since when the oldest due task waits for a process. Absent if no task is due. Tasks with a limit do not count.',
        type: 'string',
      },
      pausedWorkflows: {
        description: 'The number of workflows that are paused as a whole.',
        type: 'number',
      },
      move: {
        description: 'Its move to another server. Absent if it does not move.',
        $ref: '#/components/schemas/TenantMoveRow',
      },
      leftOn: {
        description:
          'The servers with a copy that a move has left there, until `finishMove` drops it. Absent without one, and if the user may not see\nthese servers.',
        type: 'array',
        items: { type: 'string' },
      },
      problem: {
        description:
          'What is wrong with the tenant, or why it could not be read, as a sentence. Absent if nothing is wrong.',
        type: 'string',
      },
      asOf: { description: 'When the tenant was read.', type: 'string' },
    },
    required: ['tenant', 'pausedWorkflows', 'asOf'],
  },
  TenantsResponse: {
    description:
      'Response of `GET api/tenants?search=…&limit=50&after=…`: tenants by name. `search` is a part of the name; upper and lower\ncase do not count. `limit` is 1 to 200. Default: 50. `nextCursor` is the `after` of the next call.',
    type: 'object',
    properties: {
      items: {
        description: 'The items of this page, in the order that the call documents.',
        type: 'array',
        items: { $ref: '#/components/schemas/TenantOverview' },
      },
      nextCursor: {
        description:
          'Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page.',
        anyOf: [{ type: 'null' }, { type: 'string' }],
      },
    },
    required: ['items', 'nextCursor'],
  },
  TreeResponse: {
    description:
      'An execution with all executions under it: response of `GET …/executions/:id/tree`.',
    $ref: '#/components/schemas/ExecutionTree',
  },
  TriggerRule: {
    description:
      'Decides whether a task runs, after all its dependencies have ended. Plain JSON.\n\n`Task` are the names of dependencies, and `Key` the keys of the context, that the rule may contain.',
    anyOf: [
      { $ref: '#/components/schemas/DependenciesRule' },
      {
        type: 'object',
        properties: {
          kind: {
            description: 'The status that the rule asks for.',
            type: 'string',
            enum: ['taskSucceeded', 'taskFailed', 'taskSkipped'],
          },
          task: { description: 'The name of the dependency.', type: 'string' },
        },
        required: ['kind', 'task'],
      },
      {
        type: 'object',
        properties: {
          kind: { description: 'The kind of the rule.', const: 'contextValue' },
          key: { description: 'The key of the context.', type: 'string' },
          operator: {
            description: 'The comparison.',
            type: 'string',
            enum: [
              'equals',
              'notEquals',
              'greaterThan',
              'lessThan',
              'contains',
              'notContains',
              'exists',
              'notExists',
            ],
          },
          value: {
            description:
              'The value that the comparison takes. Absent for `exists` and `notExists`.',
          },
        },
        required: ['kind', 'key', 'operator'],
      },
      {
        type: 'object',
        properties: {
          kind: {
            description: 'How the rules are joined.',
            type: 'string',
            enum: ['all', 'any', 'none'],
          },
          rules: {
            description: 'The joined rules.',
            type: 'array',
            items: { $ref: '#/components/schemas/TriggerRule' },
          },
        },
        required: ['kind', 'rules'],
      },
    ],
  },
  UnableProcess: {
    description: 'A process that serves the tenant, and why it does not take the task.',
    type: 'object',
    properties: {
      serves: {
        description: 'The names of the workflows that it serves; of more than 20, the first 20.',
        type: 'array',
        items: { type: 'string' },
      },
      because: {
        description:
          "Why it does not take the task.\n\n- `workflow`, `task`: its code does not have the workflow, or not the task.\n- `format`: its release can't read the definition.\n- `paused`, `away`, `draining`: the state of the process, in which it claims nothing.\n- `noSlots`: its `maxConcurrentTasks` is 0.",
        type: 'string',
        enum: ['workflow', 'task', 'paused', 'format', 'away', 'draining', 'noSlots'],
      },
      name: {
        description: 'The name of the process: its host and process number.',
        type: 'string',
      },
      id: { description: 'A UUID that each start of a process makes anew.', type: 'string' },
    },
    required: ['serves', 'because', 'name', 'id'],
  },
  ValueResponse: {
    description: 'A whole value of the context: response of `GET …/executions/:id/values/:name`.',
    type: 'object',
    properties: {
      name: { description: 'The key of the context.', type: 'string' },
      value: { description: 'The value. Secrets in it are replaced by `[redacted]`.' },
    },
    required: ['name', 'value'],
  },
  ValueView: {
    description:
      'A value that a handler wrote.\n\n- `json`: the whole value. `bytes` is the size of its JSON. Secrets in it are replaced by `[redacted]`.\n- `cut`: a value that is too large for the page. `preview` is the begin of its JSON text.\n  `GET …/executions/:id/values/:name` has the whole value of a context.\n- `redacted`: a value under the name of a secret, such as `password`, or one that the option `redact` names.\n\nHandlers write these values, so they may contain anything: show them as text, never as markup.',
    anyOf: [
      {
        type: 'object',
        properties: { bytes: { type: 'number' }, kind: { const: 'json' }, value: {} },
        required: ['bytes', 'kind', 'value'],
      },
      {
        type: 'object',
        properties: {
          bytes: { type: 'number' },
          kind: { const: 'cut' },
          preview: { type: 'string' },
        },
        required: ['bytes', 'kind', 'preview'],
      },
      { type: 'object', properties: { kind: { const: 'redacted' } }, required: ['kind'] },
    ],
  },
  VersionRow: {
    description:
      'A definition of a workflow: a release whose graph, rules or limits differ from those of the one before.',
    type: 'object',
    properties: {
      definitionId: {
        description: 'The id of the definition, the same in all tenants and on all servers.',
        type: 'string',
      },
      version: {
        description: 'The `version` of the workflow. Absent without one.',
        type: 'string',
      },
      registeredAt: {
        description:
          'When a process with this definition has registered it last: it was not the newest one then.',
        type: 'string',
      },
      firstStartedAt: {
        description:
          'The first start after `registeredAt` that is still stored. Absent if none is found.',
        type: 'string',
      },
      lastStartedAt: {
        description:
          'The last start, or that before the next definition was registered. Absent if none is found.',
        type: 'string',
      },
      open: {
        description:
          'The number of its executions that have not ended, among the oldest 10,000 of the tenant with each status.',
        $ref: '#/components/schemas/CappedCount',
      },
    },
    required: ['definitionId', 'registeredAt', 'open'],
  },
  VersionsResponse: {
    description:
      'Response of `GET api/tenants/:tenant/workflows/:workflow/versions`: the newest 20 definitions, and others with executions that have\nnot ended. Empty for a workflow that the tenant does not know.',
    type: 'object',
    properties: {
      versions: {
        description: 'The definitions, that which was registered last first.',
        type: 'array',
        items: { $ref: '#/components/schemas/VersionRow' },
      },
    },
    required: ['versions'],
  },
  WaitEntry: {
    description:
      'A wait of a task: `sleep()`, `waitFor()`, `waitForAny()`, or for an execution that it started. `at` is its beginning.',
    type: 'object',
    properties: {
      type: { const: 'task.wait' },
      at: { type: 'string' },
      task: { type: 'string' },
      wait: { description: 'The name of the wait in the code.', type: 'string' },
      kind: {
        description: 'What it waits for: the end of a time, a message, or the end of a child.',
        type: 'string',
        enum: ['signal', 'child', 'sleep', 'event'],
      },
      status: {
        description: '`Open`: it is not over, or its task ended before it.',
        type: 'string',
        enum: ['Failed', 'Open', 'Done', 'TimedOut'],
      },
      message: {
        description: 'The name of the signal or event that it waits for, or that ended it.',
        type: 'string',
      },
      endedAt: { description: 'Absent while the wait is open.', type: 'string' },
    },
    required: ['type', 'at', 'task', 'wait', 'kind', 'status'],
  },
  WorkflowGraph: {
    description:
      'A workflow of the running code, as CloacinaRunner.workflows  returns it. Plain JSON.',
    type: 'object',
    properties: {
      name: { description: 'The name of the workflow.', type: 'string' },
      version: {
        description: 'The `version` of the workflow. Absent without one.',
        type: 'string',
      },
      description: {
        description: 'The `description` of the workflow. Absent without one.',
        type: 'string',
      },
      timeoutMs: {
        description: 'The timeout of an execution, in milliseconds. Absent: no timeout.',
        type: 'number',
      },
      startsOn: {
        description: 'The names of the events that start an execution. Absent: none.',
        type: 'array',
        items: { type: 'string' },
      },
      tasks: {
        description: 'The tasks; dependencies come before their dependents.',
        type: 'array',
        items: { $ref: '#/components/schemas/WorkflowGraphTask' },
      },
    },
    required: ['name', 'tasks'],
  },
  WorkflowGraphTask: {
    description: 'A task of a WorkflowGraph.',
    type: 'object',
    properties: {
      name: { description: 'The name of the task, unique in the workflow.', type: 'string' },
      kind: {
        description: '`task` has a handler. The others are nodes: `wait`, `sleep` and `child`.',
        type: 'string',
        enum: ['task', 'wait', 'child', 'sleep', 'map'],
      },
      node: {
        description: 'What a node does. Absent for a task with a handler.',
        anyOf: [
          {
            type: 'object',
            properties: {
              kind: { const: 'wait' },
              timeoutMs: { type: 'number' },
              onTimeout: { type: 'string', enum: ['skip', 'fail', 'complete'] },
              signal: { type: 'string' },
              event: { type: 'object' },
            },
            required: ['kind', 'signal'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'wait' },
              timeoutMs: { type: 'number' },
              onTimeout: { type: 'string', enum: ['skip', 'fail', 'complete'] },
              event: { type: 'string' },
              key: { type: 'string' },
              lookbackMs: { type: 'number' },
              signal: { type: 'object' },
            },
            required: ['kind', 'event', 'key'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'sleep' },
              forMs: { type: 'number' },
              until: { type: 'object' },
            },
            required: ['kind', 'forMs'],
          },
          {
            type: 'object',
            properties: {
              kind: { const: 'sleep' },
              until: { type: 'string' },
              forMs: { type: 'object' },
            },
            required: ['kind', 'until'],
          },
          { $ref: '#/components/schemas/ChildNode' },
          { $ref: '#/components/schemas/MapNode' },
        ],
      },
      dependsOn: {
        description: 'The names of its dependencies, in declaration order.',
        type: 'array',
        items: { type: 'string' },
      },
      when: {
        description: 'The trigger rule. Absent: the task runs if every dependency is Completed.',
        anyOf: [
          { $ref: '#/components/schemas/DependenciesRule' },
          {
            type: 'object',
            properties: {
              kind: {
                description: 'The status that the rule asks for.',
                type: 'string',
                enum: ['taskSucceeded', 'taskFailed', 'taskSkipped'],
              },
              task: { description: 'The name of the dependency.', type: 'string' },
            },
            required: ['kind', 'task'],
          },
          {
            type: 'object',
            properties: {
              kind: { description: 'The kind of the rule.', const: 'contextValue' },
              key: { description: 'The key of the context.', type: 'string' },
              operator: {
                description: 'The comparison.',
                type: 'string',
                enum: [
                  'equals',
                  'notEquals',
                  'greaterThan',
                  'lessThan',
                  'contains',
                  'notContains',
                  'exists',
                  'notExists',
                ],
              },
              value: {
                description:
                  'The value that the comparison takes. Absent for `exists` and `notExists`.',
              },
            },
            required: ['kind', 'key', 'operator'],
          },
          {
            type: 'object',
            properties: {
              kind: {
                description: 'How the rules are joined.',
                type: 'string',
                enum: ['all', 'any', 'none'],
              },
              rules: {
                description: 'The joined rules.',
                type: 'array',
                items: { $ref: '#/components/schemas/TriggerRule' },
              },
            },
            required: ['kind', 'rules'],
          },
        ],
      },
      maxAttempts: { description: 'The number of attempts, including the first.', type: 'number' },
      timeoutMs: { description: 'The timeout of one attempt, in milliseconds.', type: 'number' },
      transactional: {
        description: 'Whether the task runs in a transaction that commits with its outcome.',
        type: 'boolean',
      },
      priority: { description: 'Tasks with a higher priority run first.', type: 'number' },
    },
    required: [
      'name',
      'kind',
      'dependsOn',
      'maxAttempts',
      'timeoutMs',
      'transactional',
      'priority',
    ],
  },
  WorkflowRow: {
    description: 'A workflow of a tenant: one of the running code, or one with executions.',
    type: 'object',
    properties: {
      name: { description: 'The name of the workflow.', type: 'string' },
      graph: {
        description:
          'The graph as the running code has it. Absent if this process does not serve the workflow.',
        $ref: '#/components/schemas/WorkflowGraph',
      },
      paused: {
        description: 'Why and since when it is paused as a whole. Absent if it is not.',
        type: 'object',
        properties: { reason: { type: 'string' }, since: { type: 'string' } },
        required: ['since'],
      },
      counts: {
        description:
          'The number of its executions with each status except Completed, among the newest 10,000 executions of the tenant with this\nstatus.',
        type: 'object',
        properties: {
          Pending: { $ref: '#/components/schemas/CappedCount' },
          Running: { $ref: '#/components/schemas/CappedCount' },
          Paused: { $ref: '#/components/schemas/CappedCount' },
          Finishing: { $ref: '#/components/schemas/CappedCount' },
          Failed: { $ref: '#/components/schemas/CappedCount' },
          Cancelled: { $ref: '#/components/schemas/CappedCount' },
        },
        required: ['Pending', 'Running', 'Paused', 'Finishing', 'Failed', 'Cancelled'],
      },
    },
    required: ['name', 'counts'],
  },
  WorkflowsResponse: {
    description: 'Response of `GET api/tenants/:tenant/workflows`: all workflows, by name.',
    type: 'object',
    properties: {
      items: {
        description:
          'The workflows of the running code, and others with executions that are not Completed.',
        type: 'array',
        items: { $ref: '#/components/schemas/WorkflowRow' },
      },
    },
    required: ['items'],
  },
};
