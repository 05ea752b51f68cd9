#!/bin/zsh -f
# What zsh offers at the end of each line of standard input.
#
#     complete.zsh FOLDER <LINES
#
# FOLDER has the completion functions to test.  Prints "= LINE", then the
# matches, one a line.  The terminal that zsh wants is zsh/zpty's.
zmodload zsh/zpty
work=$(mktemp -d) || exit 1
cat >$work/lines
cat >$work/.zshrc <<RC
fpath=(${(q)1:A} \$fpath) work=${(q)work}
RC
cat >>$work/.zshrc <<'RC'
autoload -Uz compinit && compinit -D -u
# Those with -A, -D or -O only sort matches for later calls.
compadd()
{
	local -a hits
	if [[ ${@[1,(i)(-|--)]} != *-[ADO]\ * ]]; then
		builtin compadd -A hits "$@"
		(( ! $#hits )) || print -rl -- $hits >>$work/out
	fi
	builtin compadd "$@"
}
ask()
{
	_main_complete
	compstate[insert]= compstate[list]=
}
zle -C ask complete-word ask
every()
{
	local line
	for line in ${(f)"$(<$work/lines)"}; do
		print -r -- "= $line" >>$work/out
		BUFFER=$line CURSOR=$#line
		zle ask
	done
	: >$work/end
	exit
}
zle -N every
zle-line-init() { zle every }
zle -N zle-line-init
RC
# An exit trap would also run in the process that zpty starts.
{
	zpty -b complete "ZDOTDIR=${(q)work} exec zsh -d -i"
	for ((i = 0; i < 6000; i++)); do
		zpty -r complete screen
		[[ ! -e $work/end ]] || break
		sleep 0.05
	done
	zpty -d complete
	cat $work/out
	[[ -e $work/end ]]
} always {
	rm -rf $work
}
