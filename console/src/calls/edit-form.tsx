// Other arguments in place of the proposed ones: a field for each, of the kind that its schema or
// its value has, and what differs from the proposal below. The server checks the whole again.

import { Checkbox, JsonInput, NumberInput, Select, Stack, Text, Textarea } from '@mantine/core';
import type { Arguments } from '../api/types.ts';
import { VisibleText } from '../text/visible-text.tsx';

interface FieldSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly description?: string;
}
export interface InputSchema {
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}

export interface EditFormProps {
  readonly proposed: Arguments;
  readonly edited: Arguments;
  readonly schema: InputSchema | undefined;
  readonly onChange: (edited: Arguments) => void;
}

export function EditForm({ proposed, edited, schema, onChange }: EditFormProps) {
  const names = [...new Set([...Object.keys(schema?.properties ?? {}), ...Object.keys(proposed)])];
  const set = (name: string, value: unknown): void => {
    const { [name]: _, ...others } = edited;
    onChange(value === undefined ? others : { ...others, [name]: value });
  };
  return (
    <Stack gap="sm">
      {names.map((name) => (
        <Field
          key={name}
          name={name}
          value={edited[name]}
          schema={schema?.properties?.[name]}
          // A text that was not proposed and is emptied again is left out, not sent empty.
          onChange={(value) => set(name, value === '' && !(name in proposed) ? undefined : value)}
        />
      ))}
      <Difference proposed={proposed} edited={edited} />
    </Stack>
  );
}

interface FieldProps {
  readonly name: string;
  readonly value: unknown;
  readonly schema: FieldSchema | undefined;
  readonly onChange: (value: unknown) => void;
}

function Field({ name, value, schema, onChange }: FieldProps) {
  const label = {
    label: name,
    ...(schema?.description ? { description: schema.description } : {}),
  };
  const words = schema?.enum?.filter((word) => typeof word === 'string');
  if (words !== undefined && words.length > 0)
    return (
      <Select
        {...label}
        data={words}
        value={typeof value === 'string' ? value : null}
        onChange={(word) => onChange(word ?? undefined)}
      />
    );
  switch (kindOf(value, schema)) {
    case 'boolean':
      return (
        <Checkbox
          {...label}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'number':
      return (
        <NumberInput
          {...label}
          value={typeof value === 'number' ? value : ''}
          allowDecimal={schema?.type !== 'integer'}
          onChange={(given) => onChange(given === '' ? undefined : Number(given))}
        />
      );
    case 'text':
      return (
        <Textarea
          {...label}
          autosize
          maxRows={12}
          value={typeof value === 'string' ? value : ''}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'json':
      return <JsonField {...label} value={value} onChange={onChange} />;
  }
}

function JsonField({
  value,
  onChange,
  ...label
}: {
  label: string;
  description?: string;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  return (
    <JsonInput
      {...label}
      autosize
      maxRows={12}
      defaultValue={value === undefined ? '' : JSON.stringify(value, null, 2)}
      validationError="This is not JSON yet: it is not used."
      onChange={(text) => {
        try {
          onChange(text.trim() === '' ? undefined : JSON.parse(text));
        } catch {
          // Half typed.
        }
      }}
    />
  );
}

function kindOf(
  value: unknown,
  schema: FieldSchema | undefined,
): 'boolean' | 'number' | 'text' | 'json' {
  const type = value === undefined ? schema?.type : typeof value;
  if (type === 'boolean') return 'boolean';
  if (type === 'number' || type === 'integer') return 'number';
  return type === 'string' ? 'text' : 'json';
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export const differs = (proposed: Arguments, edited: Arguments): boolean =>
  [...Object.keys(proposed), ...Object.keys(edited)].some(
    (name) => !same(proposed[name], edited[name]),
  );

/** Argument by argument, before and after. */
export function Difference({ proposed, edited }: { proposed: Arguments; edited: Arguments }) {
  const names = [...new Set([...Object.keys(proposed), ...Object.keys(edited)])].filter(
    (name) => !same(proposed[name], edited[name]),
  );
  if (names.length === 0)
    return (
      <Text size="sm" c="dimmed">
        Nothing is changed yet.
      </Text>
    );
  return (
    <Stack gap={6} aria-label="What you changed">
      {names.map((name) => (
        <Text key={name} size="sm" component="div">
          <b>{name}</b>: <del>{textOf(proposed[name])}</del> → <ins>{textOf(edited[name])}</ins>
        </Text>
      ))}
    </Stack>
  );
}

const textOf = (value: unknown) =>
  value === undefined ? (
    '(absent)'
  ) : (
    <VisibleText text={typeof value === 'string' ? value : JSON.stringify(value)} />
  );
