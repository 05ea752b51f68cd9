# Completion of shash's command line for bash.
# shellcheck shell=bash

# _shash_options COMMAND: what its --help lists
_shash_options()
{
	local include='--exclude --exclude_from --one_file_system
	    --exclude_caches'

	case $1 in
	start)
		echo '--store_dir --port --listen --insecure' \
		    '--scrub_days --scrub_now'
		;;
	stop) echo '--store_dir --port' ;;
	invite) echo '--store_dir --ttl' ;;
	register)
		echo '--url --invitation --dir --state_dir --label --new_vault
		    --recovery_key --recovery_file --retry --chunker'
		;;
	backup)
		echo "--dir $include --tag --dry_run --state_dir --retry"
		;;
	restore)
		echo '--dest --force --dry_run --udk --mount --dir --state_dir
		    --retry'
		;;
	scan) echo "--dir $include --state_dir" ;;
	snapshots) echo '--dir --state_dir --all --retry' ;;
	status) echo '--dir --store_dir --state_dir --retry' ;;
	verify | reindex) echo --store_dir ;;
	sweep) echo '--store_dir --dry_run --give_up_lost' ;;
	keep)
		echo '--store_dir --mount --last --hourly --daily --weekly
		    --monthly --yearly --within --forever --reset --floor
		    --grace'
		;;
	prune) echo '--store_dir --dry_run --now' ;;
	unprune) echo '--store_dir --mount' ;;
	key) echo '--dir --state_dir' ;;
	*) return ;;
	esac
	echo '--json --quiet --verbose --help'
}

# The keys of the snapshots of the directory that the line names.  A store that
# does not answer at once has none, and another directory's are not asked for.
_shash_keys()
{
	local i value args=()

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]//-/_} in
		__mount) return ;;
		__dir | __state_dir)
			value=${COMP_WORDS[i + 1]}
			[ "$value" != = ] || value=${COMP_WORDS[i + 2]}
			value=${value//[\\\"\']/}
			args+=("${COMP_WORDS[i]}" "${value/#~\//$HOME/}")
			;;
		esac
	done
	timeout 2 shash snapshots --json --retry 0 "${args[@]}" \
	    </dev/null 2>/dev/null |
	    sed -n 's/.*"key":"\(X[0-9a-f]*\)".*/\1/p' | sort -u
}

# _shash_paths WORD: PATHs of restore, which count from the registered directory
# on, wherever we are: those that it has now.  Another one's are not known.
_shash_paths()
{
	local i dir=. path

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]//-/_} in
		__mount) return ;;
		__dir)
			dir=${COMP_WORDS[i + 1]}
			[ "$dir" != = ] || dir=${COMP_WORDS[i + 2]}
			dir=${dir//[\\\"\']/}
			;;
		esac
	done
	cd -- "${dir/#~\//$HOME/}" 2>/dev/null || return
	compgen -f -- "$1" | while IFS= read -r path; do
		[ "$path" != .shamo ] || continue
		[ ! -d "$path" ] || path+=/
		echo "$path"
	done
}

# _shash_value COMMAND OPTION WORD: complete the value of an option; fails when
# it takes none
_shash_value()
{
	case $2 in
	__dir | __state_dir | __store_dir | __dest)
		if [ "$1$2" = scan__dir ]; then
			compopt -o default
		else
			compopt -o dirnames
		fi
		;;
	__exclude_from | __recovery_file)
		compopt -o default
		;;
	__udk)
		mapfile -t COMPREPLY < <(compgen -W "$(_shash_keys)" -- "$3")
		;;
	__chunker)
		mapfile -t COMPREPLY < <(compgen -W 'gear private' -- "$3")
		;;
	__port | __listen | __scrub_days | __ttl | __url | __invitation | \
	    __label | \
	    __recovery_key | __retry | __exclude | __tag | __mount | \
	    __last | __hourly | __daily | __weekly | __monthly | __yearly | \
	    __within | __floor | __grace) ;;
	*)
		return 1
		;;
	esac
}

_shash()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} ended='' words

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words='start stop invite register backup restore scan
		    snapshots status keep prune unprune verify sweep
		    reindex key'
		[[ $cur != -* ]] || words='--help --version'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	[[ " ${COMP_WORDS[*]:2:COMP_CWORD-2} " != *' -- '* ]] || ended=1
	# --name=VALUE comes as three words.
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [ -z "$ended" ]; then
		! _shash_value "$command" "${prev//-/_}" "$cur" || return 0
		if [[ $cur == -* ]]; then
			# - and _ are alike in names.
			[[ $cur != --* ]] || cur=--$(tr - _ <<<"${cur:2}")
			words=$(_shash_options "$command")
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
			return
		fi
	fi
	[ "$command" = restore ] || return 0
	compopt -o filenames -o nospace
	mapfile -t COMPREPLY < <(_shash_paths "$cur")
}

complete -F _shash shash
