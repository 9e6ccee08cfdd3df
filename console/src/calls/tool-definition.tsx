// What a server says of its tool, where the tool is another's; where it has changed, what was shown
// before and what would be called now, side by side.

import { Box, Code, SimpleGrid, Stack, Text } from '@mantine/core';
import type { PendingCall } from '../api/types.ts';
import { VisibleText } from '../text/visible-text.tsx';

type Definition = NonNullable<PendingCall['tool']>;

const PARTS = [
  ['title', 'Title'],
  ['description', 'What it does'],
  ['inputSchema', 'What it takes'],
  ['outputSchema', 'What it gives'],
  ['annotations', 'What its server says of it'],
] as const;

export function ToolDefinition({ call }: { call: PendingCall }) {
  const { tool, toolNow } = call;
  if (tool === undefined) return null;
  if (toolNow !== undefined) return <Changed was={tool} now={toolNow} />;
  return (
    <details>
      <summary>What the server says of the tool {tool.name}</summary>
      <Stack gap="xs">
        {PARTS.filter(([part]) => tool[part] !== undefined).map(([part, title]) => (
          <Part key={part} title={title} text={textOf(tool, part)} />
        ))}
      </Stack>
    </details>
  );
}

function Changed({ was, now }: { was: Definition; now: Definition | null }) {
  if (now === null)
    return (
      <Text>The server does not have the tool {was.name} any more: nothing would be sent.</Text>
    );
  const differing = PARTS.filter(([part]) => textOf(was, part) !== textOf(now, part));
  return (
    <Stack gap="xs" component="section" aria-label="What has changed">
      {differing.map(([part, title]) => (
        <SimpleGrid key={part} cols={{ base: 1, sm: 2 }} spacing="sm">
          <Part title={`${title}, before`} text={textOf(was, part)} />
          <Part title={`${title}, now`} text={textOf(now, part)} />
        </SimpleGrid>
      ))}
      {differing.length === 0 && <Text>It is again as it was before.</Text>}
    </Stack>
  );
}

function Part({ title, text }: { title: string; text: string }) {
  return (
    <Box>
      <Text size="sm" fw={600}>
        {title}
      </Text>
      {text === '' ? (
        <Text c="dimmed">(nothing)</Text>
      ) : (
        <Code block>
          <VisibleText text={text} />
        </Code>
      )}
    </Box>
  );
}

function textOf(definition: Definition, part: (typeof PARTS)[number][0]): string {
  const value = definition[part];
  return typeof value === 'object' ? JSON.stringify(sorted(value), null, 2) : (value ?? '');
}

/** By name, so that only what differs differs. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}
