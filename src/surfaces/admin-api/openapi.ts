import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Operation } from './operation.ts';

type Json = Record<string, unknown>;

export type DescribedOperation = {
  operationId: string;
  tags: [string];
  summary: string;
  description: string;
  parameters: {
    name: string;
    in: 'path' | 'query' | 'header';
    required: boolean;
    description?: string;
    schema: Json;
  }[];
  requestBody?: { required: boolean; content: Record<string, { schema: Json; example?: Json }> };
  responses: Record<string, Json>;
};
export type OpenApi = Json & {
  servers: { url: string }[];
  tags: { name: string }[];
  paths: Record<string, Record<string, DescribedOperation>>;
};

const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string().meta({ description: 'Stable; `area.reason`.' }),
  detail: z.string(),
  field: z.string().optional().meta({ description: 'The field at fault.' }),
  request_id: z.string(),
});

const MAY_LAG =
  ' Where a replica serves lists, this one may be some seconds old, but never older than the last change made with this API. Objects read one by one are always current.';

/** OpenAPI 3.1, made of the schemas that validate: what is described is what is accepted. */
export function openApiOf(operations: readonly Operation[], baseUrl: string): OpenApi {
  const paths: OpenApi['paths'] = {};
  for (const operation of operations) {
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Latchkey Admin API',
      version: '1',
      description:
        'Errors are RFC 9457 problems with a stable `code`. Lists are paged: hand `next` in as `after`.',
    },
    servers: [{ url: `${baseUrl}/api/v1` }],
    security: [{ bearer: [] }],
    tags: [...new Set(operations.map((operation) => operation.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The admin key (ADMIN_API_KEY).' },
      },
      schemas: { Problem: jsonSchema(problemSchema, 'output') },
    },
  };
}

function describe(operation: Operation): DescribedOperation {
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    description: `Scope: \`${operation.scope}\`.${operation.mayLag ? MAY_LAG : ''}`,
    parameters: [
      ...fields(operation.params, 'path'),
      ...fields(operation.query, 'query'),
      ...idempotency(operation),
    ],
    ...(operation.body ? { requestBody: bodyOf(operation, operation.body) } : {}),
    ...(operation.file ? { requestBody: fileOf(operation.file) } : {}),
    responses: { ...success(operation), ...refusals(operation) },
  };
}

function bodyOf(operation: Operation, schema: z.ZodType): NonNullable<DescribedOperation['requestBody']> {
  const example = operation.example === undefined ? {} : { example: operation.example };
  return {
    required: !schema.safeParse({}).success,
    content: { 'application/json': { schema: jsonSchema(schema, 'input'), ...example } },
  };
}

function fileOf({
  type,
  maxBytes,
}: NonNullable<Operation['file']>): NonNullable<DescribedOperation['requestBody']> {
  const description = `At most ${maxBytes} bytes.`;
  return {
    required: true,
    content: { [type]: { schema: { type: 'string', format: 'binary', description } } },
  };
}

function success({ response }: Operation): Record<string, Json> {
  if (!response) return { 204: { description: 'Done.' } };
  const content = { 'application/json': { schema: jsonSchema(response.schema, 'output') } };
  return { [response.status]: { description: STATUS_CODES[response.status]!, content } };
}

function refusals(operation: Operation): Record<string, Json> {
  const writes = operation.method !== 'GET';
  const statuses = new Set([
    400,
    401,
    403,
    429,
    503,
    ...(operation.params ? [404] : []),
    ...(operation.body || operation.file ? [413, 415] : []),
    ...(writes ? [409] : []),
    ...(operation.problems ?? []),
  ]);
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries(
    [...statuses]
      .sort((a, b) => a - b)
      .map((status) => [status, { description: STATUS_CODES[status]!, content }]),
  );
}

function fields(schema: z.ZodType | undefined, place: 'path' | 'query'): DescribedOperation['parameters'] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, part]) => {
    const { description, ...rest } = jsonSchema(part, 'output');
    const required = place === 'path';
    return {
      name,
      in: place,
      required,
      ...(typeof description === 'string' ? { description } : {}),
      schema: rest,
    };
  });
}

function idempotency({ method }: Operation): DescribedOperation['parameters'] {
  if (method === 'GET') return [];
  const description = 'The same key within a day gets the same answer; nothing is done twice.';
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description,
      schema: { type: 'string', maxLength: 255 },
    },
  ];
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
  }) as Json;
  return rest;
}
