// The frame of every page: where one can go, who one is, light or dark.

import {
  ActionIcon,
  Anchor,
  Badge,
  Box,
  Container,
  Group,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import type { ReactNode } from 'react';
import { useInbox } from '../inbox/use-inbox.ts';
import { useConsole } from './context.ts';
import { linkTo, type Place } from './route.ts';
import styles from './shell.module.css';

const PLACES = [
  { page: 'inbox', label: 'Inbox', href: linkTo.inbox },
  { page: 'runs', label: 'Runs', href: linkTo.runs },
  { page: 'knowledge', label: 'Knowledge', href: linkTo.knowledge },
  { page: 'memories', label: 'Memories', href: linkTo.memories },
  { page: 'try', label: 'Try it', href: linkTo.try },
] as const;

export function Shell({ place, children }: { place: Place; children: ReactNode }) {
  const { me } = useConsole();
  const { items } = useInbox();
  return (
    <>
      <a className={styles['skip'] ?? ''} href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Box component="header" className={styles['header'] ?? ''}>
        <Container size="md">
          <Group justify="space-between" mih={56} py={4} gap="sm" wrap="nowrap">
            <Group component="nav" className={styles['places'] ?? ''} aria-label="Pages">
              {PLACES.map(({ page, label, href }) => (
                <Anchor
                  key={page}
                  href={href}
                  c="inherit"
                  underline="hover"
                  className={styles['place'] ?? ''}
                  fw={isAt(place, page) ? 700 : 400}
                  {...(isAt(place, page) ? { 'aria-current': 'page' as const } : {})}
                >
                  {label}
                  {page === 'inbox' && items.length > 0 && (
                    <Badge
                      ml={6}
                      circle
                      color="orange"
                      autoContrast
                      aria-label={`${items.length} waiting`}
                    >
                      {items.length}
                    </Badge>
                  )}
                </Anchor>
              ))}
            </Group>
            <Group gap="xs" wrap="nowrap">
              <Text size="sm" c="dimmed" truncate maw="28vw" title={`${me.subject} of ${me.orgId}`}>
                {me.subject}
              </Text>
              <SchemeSwitch />
            </Group>
          </Group>
        </Container>
      </Box>
      <Container size="md" component="main" id="main" tabIndex={-1} py="md">
        {children}
      </Container>
    </>
  );
}

const isAt = (place: Place, page: Place['page']): boolean =>
  place.page === page ||
  (page === 'inbox' && place.page === 'call') ||
  (page === 'runs' && place.page === 'run') ||
  (page === 'knowledge' && place.page === 'base');

/** The address behind # is the router's: a plain link to #main would leave the page. */
function skip(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={`Switch to ${other} colours`}
      onClick={() => setColorScheme(other)}
    >
      {scheme === 'dark' ? '☀' : '☾'}
    </ActionIcon>
  );
}
