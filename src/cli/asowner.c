#include "cli/asowner.h"

#include "base/err.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int
asowner_become(const char *store_dir)
{
	const struct passwd *pw;
	struct stat st;
	gid_t gid;
	int r;

	if (geteuid() != 0 || stat(store_dir, &st) != 0 || st.st_uid == 0)
		return 0;
	pw = getpwuid(st.st_uid);
	gid = pw != NULL ? pw->pw_gid : st.st_gid;
	r = pw != NULL ? initgroups(pw->pw_name, gid) : setgroups(0, NULL);
	if (r == 0)
		r = setresgid(gid, gid, gid);
	if (r == 0)
		r = setresuid(st.st_uid, st.st_uid, st.st_uid);
	if (r != 0)
		return err_errno(ERR_IO,
		    "cannot become user %u, whose %s is: run this as that user",
		    (unsigned)st.st_uid, store_dir);
	/* Else /proc/self/fd, through which sockets are reached, is root's. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}
