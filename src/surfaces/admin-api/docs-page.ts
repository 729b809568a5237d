import type { Context } from 'koa';
import type { HttpDeps } from '../../http/http-deps.ts';
import { showPage } from '../../http/page.ts';
import type { DescribedOperation, OpenApi } from './openapi.ts';

/** The API as a page of our own: every operation with its parameters, schemas and a command to try it. */
export function docsPage(deps: Pick<HttpDeps, 'views'>, openApi: () => OpenApi): (ctx: Context) => void {
  let model: object | undefined;
  return (ctx) => showPage(ctx, deps, 'api/docs', (model ??= modelOf(openApi())));
}

function modelOf(openApi: OpenApi): object {
  const server = openApi.servers[0]!.url;
  const sections = openApi.tags.map(({ name }) => ({
    name,
    id: anchorOf(name),
    operations: operationsOf(openApi, name, server),
  }));
  return { server, openapi_url: '/api/v1/openapi.json', sections };
}

const anchorOf = (name: string): string => name.toLowerCase().replaceAll(/[^a-z]+/g, '-');

function operationsOf(openApi: OpenApi, tag: string, server: string) {
  return Object.entries(openApi.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.tags[0] === tag)
      .map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        summary: operation.summary,
        scope: operation.description,
        parameters: operation.parameters.map((parameter) => ({
          ...parameter,
          type: typeOf(parameter.schema),
        })),
        body: operation.requestBody
          ? JSON.stringify(Object.values(operation.requestBody.content)[0]?.schema, null, 2)
          : null,
        responses: Object.entries(operation.responses).map(([status, response]) => ({
          status,
          ...successOf(status, response),
        })),
        curl: curlOf({ method: method.toUpperCase(), url: server + path, operation }),
      })),
  );
}

function typeOf(schema: Record<string, unknown>): string {
  const {
    type = 'string',
    minimum,
    maximum,
    default: fallback,
  } = schema as { type?: string; minimum?: number; maximum?: number; default?: number };
  const range = minimum === undefined || maximum === undefined ? '' : `${minimum}–${maximum}`;
  return [type, range, fallback === undefined ? '' : `default ${fallback}`].filter(Boolean).join(', ');
}

function successOf(
  status: string,
  response: Record<string, unknown>,
): { description: unknown; schema: string | null } {
  const content = response['content'] as Record<string, { schema: unknown }> | undefined;
  const schema = status.startsWith('2') ? content?.['application/json']?.schema : undefined;
  return {
    description: response['description'],
    schema: schema === undefined ? null : JSON.stringify(schema, null, 2),
  };
}

function curlOf({
  method,
  url,
  operation,
}: {
  method: string;
  url: string;
  operation: DescribedOperation;
}): string {
  const [type, sent] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const example = sent?.example;
  const isFile = type !== undefined && type !== 'application/json';
  const confirm = operation.parameters.some((parameter) => parameter.name === 'confirm')
    ? '?confirm={app_id}'
    : '';
  return [
    `curl${method === 'GET' ? '' : ` -X ${method}`} '${url}${confirm}'`,
    `  -H "Authorization: Bearer $ADMIN_API_KEY"`,
    ...(isFile ? [`  -H 'Content-Type: ${type}'`, '  --data-binary @FILE'] : []),
    ...(example === undefined
      ? []
      : [`  -H 'Content-Type: application/json'`, `  -d '${JSON.stringify(example)}'`]),
  ].join(' \\\n');
}
