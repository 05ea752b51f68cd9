# Completion of shash's command line for fish.

# Whether the command is still to come.
function __shash_begins
	test (count (commandline -opc)) -eq 1
end

# Whether the command is one of those named.
function __shash_is
	set -l words (commandline -opc)
	test (count $words) -gt 1; and contains -- $words[2] $argv
end

# The keys of the snapshots of the directory that the line names.  A store that
# does not answer at once has none, and another directory's are not asked for.
function __shash_keys
	set -l args
	set -l take no
	for word in (commandline -opc)
		set -l parts (string split -m 1 = -- $word)
		if test $take = yes
			set -a args (string replace -r '^~/' $HOME/ -- $word)
			set take no
		else if contains -- $parts[1] --mount
			return
		else if contains -- $parts[1] --dir --state_dir --state-dir
			set -a args $word
			test (count $parts) -eq 2; or set take yes
		end
	end
	timeout 2 shash snapshots --json --retry 0 $args \
		</dev/null 2>/dev/null | string replace -rf \
		'.*"key":"(X\w*)".*"receive":"([^".]*).*"seq":(\d+),.*' \
		'$1\t@$3 $2Z'
end

# PATHs of restore, which count from the registered directory on, wherever we
# are: those that it has now.  Another one's are not known.
function __shash_paths
	set -l dir .
	set -l take no
	for word in (commandline -opc)
		set -l parts (string split -m 1 = -- $word)
		if test $take = yes
			set dir $word
			set take no
		else if contains -- $parts[1] --mount
			return
		else if test $parts[1] = --dir
			set dir $parts[2]
			test (count $parts) -eq 2; or set take yes
		end
	end
	set dir (string replace -r '^~/' $HOME/ -- $dir)
	for path in $dir/(commandline -ct)*
		test -d $path; and set path $path/
		set path (string replace -- $dir/ '' $path)
		test $path = .shamo/; or echo $path
	end
end

set -l commands start stop invite register backup restore scan snapshots \
	status keep prune unprune verify sweep reindex key

complete -c shash -f
complete -c shash -n '__shash_is restore' -ka '(__shash_paths)'

complete -c shash -n __shash_begins -a start -d 'run the storage server'
complete -c shash -n __shash_begins -a stop \
	-d 'end a running server and wait until it is down'
complete -c shash -n __shash_begins -a invite \
	-d 'print a new one-time invitation'
complete -c shash -n __shash_begins -a register \
	-d 'connect a directory to a store'
complete -c shash -n __shash_begins -a backup \
	-d 'back up a registered directory'
complete -c shash -n __shash_begins -a restore \
	-d 'bring a snapshot back into a folder'
complete -c shash -n __shash_begins -a scan \
	-d "print a directory's key, without any store"
complete -c shash -n __shash_begins -a snapshots -d 'list what can be restored'
complete -c shash -n __shash_begins -a status \
	-d 'show how a directory or a store stands'
complete -c shash -n __shash_begins -a keep \
	-d 'set which snapshots of a store are kept'
complete -c shash -n __shash_begins -a prune \
	-d 'retire the snapshots that are not kept'
complete -c shash -n __shash_begins -a unprune \
	-d 'bring retired snapshots back'
complete -c shash -n __shash_begins -a verify \
	-d 'check every byte of a store, without keys'
complete -c shash -n __shash_begins -a sweep \
	-d 'free the space of what no snapshot needs'
complete -c shash -n __shash_begins -a reindex \
	-d "rebuild a store's index from its packs"
complete -c shash -n __shash_begins -a key \
	-d "print the recovery key of a directory's vault"
complete -c shash -n __shash_begins -l help -s h -d 'print this text'
complete -c shash -n __shash_begins -l version -d 'print the build'

complete -c shash -n '__shash_is start' \
	-l store_dir -xa '(__fish_complete_directories)' \
	-d 'folder of the store, made if absent [.]'
complete -c shash -n '__shash_is start' -l port -x \
	-d 'TCP port, 0: a free one [7532]'
complete -c shash -n '__shash_is start' -l listen -x \
	-d 'only on this numeric address [all]'
complete -c shash -n '__shash_is start' -l insecure \
	-d 'let anybody register, without an invitation'
complete -c shash -n '__shash_is start' -l scrub_days -x \
	-d 'read every pack in N days, 0: never [30]'
complete -c shash -n '__shash_is start' -l scrub_now \
	-d 'read everything once now, as fast as it goes'
complete -c shash -n "__shash_is $commands" -l json \
	-d 'print JSON, one object per line'
complete -c shash -n "__shash_is $commands" -l quiet -s q \
	-d 'say only what went wrong'
complete -c shash -n "__shash_is $commands" -l verbose -s v -d 'say more'
complete -c shash -n "__shash_is $commands" -l help -s h -d 'print this text'
complete -c shash -n '__shash_is stop' \
	-l store_dir -xa '(__fish_complete_directories)' \
	-d 'folder of the store [.]'
complete -c shash -n '__shash_is stop' -l port -x \
	-d 'only if it listens on this port'
complete -c shash -n '__shash_is invite verify sweep reindex' \
	-l store_dir -xa '(__fish_complete_directories)' \
	-d 'the store [.]'
complete -c shash -n '__shash_is sweep' -l dry_run \
	-d 'only say what would go'
complete -c shash -n '__shash_is sweep' -l give_up_lost \
	-d 'what lost snapshots and trees need may go'
complete -c shash -n '__shash_is invite' -l ttl -x \
	-d 'how long it can be used, 0: for ever [7d]'
complete -c shash -n '__shash_is register' -l url -x \
	-d 'the store: http://HOST:PORT/ or file:///PATH'
complete -c shash -n '__shash_is register' -l invitation -x \
	-d "what 'shash invite' printed there"
complete -c shash -n '__shash_is register' \
	-l dir -xa '(__fish_complete_directories)' \
	-d 'directory to register [.]'
complete -c shash -n '__shash_is register' \
	-l state_dir -xa '(__fish_complete_directories)' \
	-d 'where to keep its state [DIR/.shamo]'
complete -c shash -n '__shash_is register' -l label -x \
	-d 'name told to the server [host name]'
complete -c shash -n '__shash_is register' -l new_vault \
	-d 'share nothing with your other directories'
complete -c shash -n '__shash_is register' -l recovery_key -x \
	-d 'join the vault of this recovery key'
complete -c shash -n '__shash_is register' -l recovery_file -rF \
	-d "write a new vault's recovery key to F"
complete -c shash -n '__shash_is register snapshots' -l retry -x \
	-d 'how long to try a server that is down [10s]'
complete -c shash -n '__shash_is register' -l chunker -xa 'gear private' \
	-d 'how a new vault cuts files: gear or private [gear]'
complete -c shash -n '__shash_is backup restore snapshots status key' \
	-l dir -xa '(__fish_complete_directories)' \
	-d 'registered directory [.]'
complete -c shash -n '__shash_is backup scan' -l exclude -x \
	-d 'leave out what matches P, as in gitignore'
complete -c shash -n '__shash_is backup scan' -l exclude_from -rF \
	-d 'the same for each line of the file F'
complete -c shash -n '__shash_is backup scan' -l one_file_system \
	-d 'leave directories on other ones empty'
complete -c shash -n '__shash_is backup scan' -l exclude_caches \
	-d 'leave out what a CACHEDIR.TAG marks'
complete -c shash -n '__shash_is backup' -l tag -x \
	-d "a word that 'shash snapshots' shows"
complete -c shash -n '__shash_is backup' -l dry_run \
	-d 'store nothing, say what would be sent'
complete -c shash -n '__shash_is backup restore snapshots key' \
	-l state_dir -xa '(__fish_complete_directories)' \
	-d 'where its state is [DIR/.shamo]'
complete -c shash -n '__shash_is backup restore' -l retry -x \
	-d 'how long to try a server that is down [5m]'
complete -c shash -n '__shash_is restore' \
	-l dest -xa '(__fish_complete_directories)' \
	-d 'folder to restore into, empty or absent'
complete -c shash -n '__shash_is restore' -l force \
	-d 'restore over what is there, delete nothing'
complete -c shash -n '__shash_is restore' -l dry_run \
	-d 'write nothing, say what would be done'
complete -c shash -n '__shash_is restore' -l udk -xka '(__shash_keys)' \
	-d 'snapshot: its key, 8 digits of it, @SEQ, [latest]'
complete -c shash -n '__shash_is restore' -l mount -x \
	-d 'another directory of the vault: label or id'
complete -c shash -n '__shash_is scan' -l dir -rF \
	-d 'directory, or one file, to read [.]'
complete -c shash -n '__shash_is scan' \
	-l state_dir -xa '(__fish_complete_directories)' \
	-d 'for temporary files of huge directories'
complete -c shash -n '__shash_is snapshots' -l all \
	-d 'of every directory of the vault'
complete -c shash -n '__shash_is status' \
	-l store_dir -xa '(__fish_complete_directories)' \
	-d 'show this store instead'
complete -c shash -n '__shash_is status' \
	-l state_dir -xa '(__fish_complete_directories)' \
	-d "where the directory's state is [DIR/.shamo]"
complete -c shash -n '__shash_is status' -l retry -x \
	-d 'how long to try a server that is down [0]'
complete -c shash -n '__shash_is keep prune unprune' \
	-l store_dir -xa '(__fish_complete_directories)' \
	-d 'the store [.]'
complete -c shash -n '__shash_is keep' -l mount -x \
	-d 'one directory alone, by label or id'
complete -c shash -n '__shash_is keep' -l last -x \
	-d 'the newest N'
complete -c shash -n '__shash_is keep' -l hourly -x \
	-d 'one of each of the last N hours that have one'
complete -c shash -n '__shash_is keep' -l daily -x \
	-d 'of the days'
complete -c shash -n '__shash_is keep' -l weekly -x \
	-d 'of the weeks'
complete -c shash -n '__shash_is keep' -l monthly -x \
	-d 'of the months'
complete -c shash -n '__shash_is keep' -l yearly -x \
	-d 'of the years'
complete -c shash -n '__shash_is keep' -l within -x \
	-d 'all that is younger than this'
complete -c shash -n '__shash_is keep' -l forever \
	-d 'everything'
complete -c shash -n '__shash_is keep' -l reset \
	-d 'let the directory follow the store again'
complete -c shash -n '__shash_is keep' -l floor -x \
	-d 'keep all that is younger in any case [30d]'
complete -c shash -n '__shash_is keep' -l grace -x \
	-d 'how long what is retired waits, 7d at least [14d]'
complete -c shash -n '__shash_is prune' -l dry_run \
	-d 'only say what it would do'
complete -c shash -n '__shash_is prune' -l now \
	-d 'waive the grace: remove for good, also what waits'
complete -c shash -n '__shash_is unprune' -l mount -x \
	-d 'of one directory alone, by label or id'
